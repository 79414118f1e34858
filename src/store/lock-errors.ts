/** Serialization failure and deadlock: nothing was changed, and the same statement may succeed at once. */
export function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === '40001' || code === '40P01';
}

/** Whether a statement failed only because others were in its way, `lock_timeout` included: it may be tried again. */
export function isDeadlockOrTimeout(error: unknown): boolean {
  return isRetryable(error) || (error as { code?: string }).code === '55P03';
}

/** Whether `statement_timeout` ended a statement: nothing was changed, and one that does less may succeed. */
export function isStatementTimeout(error: unknown): boolean {
  return (error as { code?: string }).code === '57014';
}

/** A SQLSTATE: the row is there already. */
export const UNIQUE_VIOLATION = '23505';
