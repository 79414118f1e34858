/** The end of the year 9999, in ms: what comes later no column and no RFC 3339 text holds. */
const LATEST_MS = 253_402_300_799_999;

/** When a message says that it was sent, in ms since 1970; null where that is no time: producers write what they like. */
export function sentAt(ms: number | bigint): number | null {
  return ms >= 0 && ms <= LATEST_MS ? Number(ms) : null;
}
