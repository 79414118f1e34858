/** Whether a statement failed only because others were in its way (deadlock, lock_timeout, serialization): it may be tried again. */
export function isDeadlockOrTimeout(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === '40P01' || code === '55P03' || code === '40001';
}
