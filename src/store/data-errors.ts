/** SQLSTATE classes 22 (data) and 23 (constraint): the same statement will fail again. */
export function isFaultOfData(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code !== undefined && /^2[23]/.test(code);
}
