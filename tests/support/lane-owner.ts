import { eventually } from './eventually.ts';
import { scrape } from './scrape.ts';
import type { ServiceProcess } from './service-process.ts';

/** A lane with deliveries that wait, and who has it. */
export interface LaneAtWork {
  readonly lane: number;
  readonly owner: string | null;
  readonly epoch: number;
}

// biome-ignore lint/suspicious/noExplicitAny: rows of whatever was asked for.
type Ask = (text: string, values?: unknown[]) => Promise<any[]>;

/** The one of these workers that has lanes, where the work of one lane is all that there is. Who is killed in its place is not missed. */
export async function ownerAmong<T extends Pick<ServiceProcess, 'baseUrl'>>(workers: readonly T[]): Promise<T> {
  const [owner] = await eventually(
    async () => {
      const counts = await Promise.all(workers.map(({ baseUrl }) => scrape(baseUrl)));
      return workers.filter((_, i) => counts[i]!.sum('posthorn_lanes_owned') > 0);
    },
    (owners) => owners.length === 1,
  );
  return owner!;
}

/** @throws Error where deliveries wait in no lane, or in several */
export async function laneAtWork(ask: Ask): Promise<LaneAtWork> {
  const rows = await ask(
    'SELECT lane, owner, epoch::int FROM lanes WHERE lane IN (SELECT lane FROM mailbox WHERE NOT parked)',
  );
  if (rows.length !== 1) throw new Error(`Deliveries wait in ${rows.length} lanes.`);
  return rows[0];
}

/** Resolves when another has the lane. */
export async function takenOver(ask: Ask, before: LaneAtWork): Promise<LaneAtWork> {
  const [now] = await eventually(
    () => ask('SELECT lane, owner, epoch::int FROM lanes WHERE lane = $1', [before.lane]),
    ([{ owner, epoch }]) => owner !== null && owner !== before.owner && epoch > before.epoch,
  );
  return now;
}
