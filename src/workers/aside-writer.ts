import type { LaneLease } from '../store/lanes.ts';
import type { DueDelivery } from '../store/mailbox.ts';
import type { Desks } from './desks.ts';
import type { FloodParker } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { classOf } from './letter-queue.ts';

export interface AsideWriterOptions {
  readonly store: Pick<LaneStore, 'park' | 'setBehind' | 'promote'>;
  readonly desks: Pick<Desks, 'aside' | 'isHeld' | 'list'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  readonly floods: Pick<FloodParker, 'note'>;
}

/** Says to the table what was decided about rows: parked, behind others, or to be asked for who is next. */
export class AsideWriter {
  readonly #options: AsideWriterOptions;

  constructor(options: AsideWriterOptions) {
    this.#options = options;
  }

  /** Writes what was set aside. */
  async write(): Promise<void> {
    const { store, lanes, floods, desks } = this.#options;
    const { aside, isHeld, list } = desks;
    // A lane that is not ours any more has an owner who does not know what we would set aside.
    const isOurs = (row: DueDelivery) => lanes.has(row.lane);
    const parked = aside.takeParked(isHeld).filter(isOurs);
    const taken = await writeSome(
      parked,
      (rows) => store.park(this.#leasesOf(rows), rows),
      (rows) => aside.park(rows),
    );
    // A refill may have looked between their leaving memory and now, and have concluded that nothing is parked.
    for (const row of parked) list.get(row.endpointNum)?.markParked(classOf(row));
    // One that was retried by hand since it was read is of another class now.
    for (const { endpointNum, kind } of taken ?? []) list.get(endpointNum)?.markParked(kind);
    // Not before: lanes may have been lost meanwhile.
    const behind = aside.takeBehind(isHeld).filter(isOurs);
    await writeSome(
      behind,
      (rows) => store.setBehind(this.#leasesOf(rows), rows),
      (rows) => aside.setBehind(rows),
    );
    floods.note([...parked, ...behind]);
    // What they stood behind may have gone meanwhile.
    for (const { endpointNum, order } of behind) aside.ask(endpointNum, order!.key);
    await this.promote();
  }

  /** Asks the table who is next of the keys where that is not known here. */
  async promote(): Promise<void> {
    const { store, lanes, desks } = this.#options;
    const keys = desks.aside.takeAsked();
    if (keys.length === 0) return;
    const promoted = await store.promote(keys).catch((error: unknown) => {
      for (const { endpointNum, key } of keys) desks.aside.ask(endpointNum, key);
      throw error;
    });
    if (promoted > 0) for (const { endpointNum } of keys) lanes.get(desks.list.get(endpointNum)?.lane ?? -1)?.wake();
  }

  #leasesOf(rows: readonly DueDelivery[]): LaneLease[] {
    return [...new Set(rows.map((row) => this.#options.lanes.get(row.lane)!.lease))];
  }
}

/** @returns what was answered; undefined where there was nothing to write */
async function writeSome<A>(
  rows: readonly DueDelivery[],
  write: (rows: readonly DueDelivery[]) => Promise<A>,
  giveBack: (rows: readonly DueDelivery[]) => void,
): Promise<A | undefined> {
  if (rows.length === 0) return undefined;
  return write(rows).catch((error: unknown) => {
    giveBack(rows);
    throw error;
  });
}
