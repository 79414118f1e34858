import type { Context } from './context.ts';
import { periodic, type Service } from './lifecycle.ts';

const EXCHANGE_MS = 1_000;

/** Keeps the limits of tenants as they are set and shared, for as long as the process takes events in. */
export function ingestLimitsService({ ingestLimits, observe }: Pick<Context, 'ingestLimits' | 'observe'>): Service {
  const fail = (name: string, error: unknown) => observe.workFailed(name, error);
  const exchanging = periodic('ingest limits', EXCHANGE_MS, () => ingestLimits.runOnce(), fail);
  return {
    ...exchanging,
    stop: async (deadlineMs) => {
      await exchanging.stop(deadlineMs);
      await ingestLimits.leave();
    },
  };
}
