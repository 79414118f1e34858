import { Refusal } from '../domain/errors.ts';

const FIRST_WAIT_MS = 200;
/** What could not be stored is looked at again after this at the latest, unless it is told otherwise the first time. */
export const LONGEST_WAIT_MS = 5_000;

/** How long to wait until what could not be stored is given again, in ms. @param failures in a row, this one with them */
export function waitMs(error: unknown, failures: number): number {
  const least = error instanceof Refusal && failures === 1 ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(least, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10)));
}
