import { type Failure, NoAnswerError, type PosthornError } from './errors.ts';

/** Codes that say that nothing was done, and that the same request may pass later. */
const PASSING: ReadonlySet<string | null> = new Set([
  'rate_limited',
  'backlog_full',
  'starting',
  'overloaded',
  'request_timeout',
  'incomplete_body',
  'conflict',
]);

/** Statuses that pass, whoever answers: of proxies too. With them the request may have been acted on. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 502, 503, 504]);

const FIRST_MS = 250;
const MOST_MS = 15_000;

/** @param isRepeatable whether it does no harm that the request is acted on twice */
export function mayRetry(failure: Failure, isRepeatable: boolean): boolean {
  if (failure instanceof NoAnswerError) return isRepeatable || !failure.mayHaveArrived;
  // Whoever limits a rate has not passed the request on.
  if (failure.status === 429) return true;
  return PASSING.has(failure.code) || (isRepeatable && (PASSING_STATUSES.has(failure.status) || isFault(failure)));
}

/** Of the server, or of what is between: another try may go well. */
function isFault({ status, code }: PosthornError): boolean {
  return code === 'internal' || (status === 500 && code === null);
}

/** Whether a try that ended so may have been acted on. */
export function mayHaveBeenDone(failure: Failure): boolean {
  if (failure instanceof NoAnswerError) return failure.mayHaveArrived;
  return (failure.status >= 500 || failure.status === 408) && !PASSING.has(failure.code);
}

/**
 * How long to wait after so many tries, in ms: exponential back-off with full jitter, after what the server asks for, so that those who
 * were refused together do not come back together.
 * @param random from 0 up to 1
 */
export function retryDelayMs(tries: number, retryAfterMs: number | null, random: number): number {
  return (retryAfterMs ?? 0) + Math.floor(random * Math.min(MOST_MS, FIRST_MS * 2 ** (tries - 1)));
}

/** The header `Retry-After` in ms (RFC 9110 §10.2.3): seconds or a date; null where it is neither. */
export function parseRetryAfter(text: string | null, nowMs: number): number | null {
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = /[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
