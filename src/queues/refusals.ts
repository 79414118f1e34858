/**
 * Whether an error is one of Redis's replies that refuse a write, by itself or within what is said of a script (as Redis 6.2 does: "Error
 * running script …: -READONLY …").
 */
export function isRefusal(error: unknown): boolean {
  return /\b(OOM command|MISCONF|READONLY|NOREPLICAS)\b/.test(textOf(error));
}

/** Whether Redis says by this error that it is a replica, which takes no writes as long as it is one. */
export function isReplica(error: unknown): boolean {
  return /\bREADONLY\b/.test(textOf(error));
}

function textOf(error: unknown): string {
  return (error as Error | undefined)?.message ?? '';
}
