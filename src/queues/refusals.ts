/** Redis's error replies that refuse writes, alone or within what a script says of them (as Redis 6.2 does: "Error running script …: -READONLY …"). */
export function isRefusal(error: unknown): boolean {
  return /\b(OOM command|MISCONF|READONLY|NOREPLICAS)\b/.test(textOf(error));
}

/** Whether it is a replica now, which takes no writes as long as it is one. */
export function isReplica(error: unknown): boolean {
  return /\bREADONLY\b/.test(textOf(error));
}

function textOf(error: unknown): string {
  return (error as Error | undefined)?.message ?? '';
}
