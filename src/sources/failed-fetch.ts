/** A fetch's answer in which something is wrong, as the client gives it. */
export interface FailedFetch extends Error {
  readonly errors?: readonly unknown[];
  readonly response?: {
    readonly responses?: readonly {
      readonly topicId: string;
      readonly partitions: readonly { readonly partitionIndex: number; errorCode: number; logStartOffset: bigint }[];
    }[];
  };
}

/** The last failure that is a broker's answer: where a request was tried again the client has all of them in one. */
export function failedFetchIn(error: unknown): FailedFetch | null {
  const failed = (error ?? {}) as FailedFetch;
  if (failed.response !== undefined) return failed;
  for (const one of (failed.errors ?? []).toReversed()) {
    const found = failedFetchIn(one);
    if (found !== null) return found;
  }
  return null;
}

/** Kafka's numbers of UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID and INCONSISTENT_TOPIC_ID. */
const UNKNOWN_TOPIC: readonly number[] = [3, 100, 103];

/** The ids of topics that the broker does not know, not any more if it gave something of them. */
export function unknownTopicsIn(error: unknown): readonly string[] {
  return (failedFetchIn(error)?.response?.responses ?? [])
    .filter(({ partitions }) => partitions.some(({ errorCode }) => UNKNOWN_TOPIC.includes(errorCode)))
    .map(({ topicId }) => topicId);
}
