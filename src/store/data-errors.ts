/**
 * Whether the same statement will fail again for what is in it: SQLSTATE classes 22 (data) and 23 (constraint), or a number that does not fit
 * the bytes that it is sent in (`binary-array.ts`).
 */
export function isFaultOfData(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code !== undefined && (/^2[23]/.test(code) || code === 'ERR_OUT_OF_RANGE');
}
