const PROBE_TIMEOUT_MS = 3_000;

/** Whether a process says of itself that it can work. */
export async function isReady(baseUrl: string): Promise<boolean> {
  const answer = await fetch(`${baseUrl}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).catch(() => null);
  await answer?.body?.cancel();
  return answer?.status === 200;
}
