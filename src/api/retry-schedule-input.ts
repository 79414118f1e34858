import { z } from 'zod';

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

/** Why a schedule does not fit: its last attempt must be made before the event is dropped. Null when it fits. */
export function retentionProblem(delays: readonly number[], retentionDays: number): string | null {
  const seconds = delays.reduce((sum, delay) => sum + delay, 0);
  const most = (retentionDays - 1) * 86_400;
  return seconds < most ? null : `expected less than ${most} seconds in all: events are kept for ${retentionDays} days`;
}
