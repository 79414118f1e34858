import { Refusal } from '../domain/errors.ts';

/**
 * Waits for something that Postgres has to answer, but no longer than the deadline: a producer must hear within a second that its
 * event cannot be stored, even when Postgres hangs.
 * @throws Refusal 503
 */
export async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const refusal = () =>
    new Refusal(503, 'unavailable', 'The database does not answer in time. Try again.', { retryAfterSeconds: 1 });
  const timer = setTimeout(() => reject(refusal()), deadlineMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
