/** Upper bounds of histogram buckets, in seconds. Statements: a millisecond to the longest that the pools allow. */
export const STATEMENT_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
/** Requests to receivers: to the longest timeout that an endpoint may have. */
export const ATTEMPT_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120,
];
/** Waits of deliveries: fine where all is well, then by the retry schedule to its end after about three days. */
export const LATENCY_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 21_600, 86_400,
  259_200,
];
/** Rows that one statement writes together. */
export const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
