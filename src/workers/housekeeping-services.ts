import type { Context } from '../context.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { Housekeeping } from './housekeeping.ts';

const EVERY_MS = 3_600_000;

/** All that this worker lets go of, at its start and every hour. */
export function housekeepingServices(
  context: Pick<Context, 'config' | 'workerPool' | 'clock' | 'observe'>,
): readonly Service[] {
  const { config, workerPool: pool, clock, observe } = context;
  const housekeeping = new Housekeeping({
    pool,
    retentionDays: config.RETENTION_DAYS,
    deadLetterDays: config.DEAD_LETTER_RETENTION_DAYS,
    idempotencyHours: config.IDEMPOTENCY_HOURS,
    onDone: (duty, details) => observe.housekeeping(duty, details),
    onLeft: (duty) => observe.housekeepingLeft(duty),
    onExpired: (expired) => observe.deliveriesExpired(expired),
    onFailure: (duty, error) => observe.housekeepingFailed(duty, error),
  });
  const fail = (name: string, error: unknown) => observe.workFailed(name, error);
  const every = (name: string, run: Housekeeping['runOnce']) => {
    const runOnce = async (signal: AbortSignal) => {
      // Measured now: where the host was suspended, the clock does not know it yet.
      await clock.calibrate(pool);
      await run(clock.nowMs(), Date.now(), signal);
    };
    return periodic(name, EVERY_MS, runOnce, fail);
  };
  return [
    every('retention', (...given) => housekeeping.dropDays(...given)),
    every('housekeeping', (...given) => housekeeping.runOnce(...given)),
  ];
}
