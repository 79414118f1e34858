/** The highest number of an attempt that a column holds. */
export const MAX_ATTEMPT = 32_767;

/**
 * In SQL, the number of an end that nobody attempted: one is left free for the attempt that may be in flight, which will be kept, marked
 * late. The highest stands for those past it.
 */
export const numberOfEnd = (attempt: string): string => `least(${attempt} + 2, ${MAX_ATTEMPT})`;

/** What is on record under the highest number gives way to such an end, or nothing would say that the delivery has ended, and how. */
export const LAST_GIVES_WAY = `
    ON CONFLICT (event_id, endpoint_num, attempt) DO UPDATE SET outcome = EXCLUDED.outcome, decision = EXCLUDED.decision, detail = EXCLUDED.detail
     WHERE attempts.attempt = ${MAX_ATTEMPT}`;
