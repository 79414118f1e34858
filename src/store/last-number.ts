/** The highest number of an attempt that a column holds. */
export const MAX_ATTEMPT = 32_767;

/**
 * In SQL, the number of an end without an attempt. It leaves one number free for the attempt that may be in flight, which will be recorded as
 * late. An end whose number would be higher than the column holds gets the highest one.
 */
export const numberOfEnd = (attempt: string): string => `least(${attempt} + 2, ${MAX_ATTEMPT})`;

/** If an attempt is on record under the highest number, such an end replaces it: otherwise nothing would say that the delivery has ended, and how. */
export const LAST_GIVES_WAY = `
    ON CONFLICT (event_id, endpoint_num, attempt) DO UPDATE SET outcome = EXCLUDED.outcome, decision = EXCLUDED.decision, detail = EXCLUDED.detail
     WHERE attempts.attempt = ${MAX_ATTEMPT}`;
