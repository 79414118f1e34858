import type { Context } from './context.ts';
import { periodic, type Service } from './lifecycle.ts';
import { ensurePartitions } from './store/partitions.ts';

/** The days ahead last for a week, but Postgres's clock may leap past them: that of a machine that was suspended, say. */
const LOOK_MS = 60_000;

/** Makes the partitions of the days ahead, in every process: events are stored however long no worker runs. */
export function partitionService({ apiPool, clock, observe }: Pick<Context, 'apiPool' | 'clock' | 'observe'>): Service {
  const look = async () => {
    const made = await ensurePartitions(apiPool, clock.nowMs());
    observe.housekeeping('partitions_made', made.length === 0 ? null : { tables: made.join(',') });
  };
  return periodic('partitions', LOOK_MS, look, (_name, error) => observe.housekeepingFailed('partitions_made', error));
}
