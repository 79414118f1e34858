import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { LONGEST_JITTER } from '../delivery/retry-policy.ts';
import { Refusal } from '../domain/errors.ts';

const MAX_ATTEMPTS = 20;
const MAX_DELAY_SECONDS = 7 * 86_400;

/**
 * The schedule as it is kept: the delay in seconds before each attempt, the first included. The first attempt is always made at
 * once, so a list that begins with another delay gets a 0 in front.
 */
export function wholeSchedule(delays: readonly number[]): number[] {
  return delays[0] === 0 ? [...delays] : [0, ...delays];
}

/** Checks each delay against the one before, so that the fault is told where it is. */
function checkAscent(delays: readonly number[], context: z.RefinementCtx): void {
  delays.forEach((delay, i) => {
    const previous = delays[i - 1];
    // One that is out of range was told already.
    if (previous === undefined || delay >= previous || delay < 0 || previous > MAX_DELAY_SECONDS) return;
    context.addIssue({ code: 'custom', path: [i], message: `expected at least the delay before it (${previous})` });
  });
  if (wholeSchedule(delays).length > MAX_ATTEMPTS) {
    context.addIssue({
      code: 'custom',
      message: `expected at most ${MAX_ATTEMPTS} attempts, the first (at once) included`,
    });
  }
}

export const retrySchedule = z
  .array(z.int().min(0).max(MAX_DELAY_SECONDS))
  .min(1)
  .max(MAX_ATTEMPTS)
  .superRefine(checkAscent)
  .transform(wholeSchedule)
  .nullable()
  .describe(
    `Seconds before each attempt, the first included, never descending; at most ${MAX_ATTEMPTS}. The first attempt is made at once: when the list does not begin with 0, a 0 is put in front. Null: the default.`,
  );

/**
 * Refuses a schedule whose last attempt may come later than a day before the event is dropped, if jitter makes each delay as long as it
 * can. The schedule that the endpoint has already is not refused: it may have been accepted when more was allowed, or when events were kept
 * for longer, and is sent again by whoever changes something else.
 * @throws Refusal 422
 */
export function refuseLongSchedule(
  wanted: readonly number[] | undefined,
  before: readonly number[],
  retentionDays: number,
): void {
  if (wanted === undefined || isDeepStrictEqual(wanted, before)) return;
  const seconds = wanted.reduce((sum, delay) => sum + delay, 0);
  const most = Math.ceil(((retentionDays - 1) * 86_400) / LONGEST_JITTER);
  if (seconds < most) return;
  const message = `expected less than ${most} seconds in all: events are kept for ${retentionDays} days, and each delay may be a fifth longer`;
  throw new Refusal(422, 'invalid', 'The body is not valid.', { faults: [{ path: 'retry_schedule', message }] });
}
