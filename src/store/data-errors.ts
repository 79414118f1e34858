/**
 * Whether the same statement will fail again for what is in it: SQLSTATE classes 22 (data) and 23 (constraint). `binary-array.ts` fails with
 * such a code too, where a number does not fit the bytes that it is sent in.
 */
export function isFaultOfData(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code !== undefined && /^2[23]/.test(code);
}

/** Whether a row has no partition to be written to, because the day of its event was dropped: such a violation names no constraint. */
export function isOfDroppedDay(error: unknown): boolean {
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === '23514' && constraint === undefined;
}
