import type { LaneLease } from '../store/lanes.ts';
import type { DueDelivery } from '../store/mailbox.ts';
import type { Desks } from './desks.ts';
import type { FloodParker } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { classOf } from './letter-queue.ts';
import { PART } from './pending-table-writes.ts';

export interface TableWriterOptions {
  readonly store: Pick<LaneStore, 'park' | 'setBehind' | 'promote'>;
  readonly desks: Pick<Desks, 'tableWrites' | 'isInMemory' | 'list'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  readonly floods: Pick<FloodParker, 'note'>;
  /** A statement that may take long is over. */
  readonly onProgress: () => void;
}

/** Rows of which the same is to be said, in parts. */
interface Parts {
  readonly take: () => readonly DueDelivery[];
  readonly write: (rows: readonly DueDelivery[]) => Promise<void>;
  readonly giveBack: (rows: readonly DueDelivery[]) => void;
}

/** Says to the table what was decided about rows: parked, behind others, or to be asked for who is next. */
export class TableWriter {
  readonly #options: TableWriterOptions;

  constructor(options: TableWriterOptions) {
    this.#options = options;
  }

  /** Writes the rows that were parked or stand behind others, and asks the table who is next of the keys that it has to tell. */
  async write(): Promise<void> {
    const { lanes, floods, desks } = this.#options;
    const { tableWrites, isInMemory } = desks;
    // A lane that is not ours any more has an owner who does not know what we would write: lanes may be lost between two statements.
    const isVoid = (row: DueDelivery) => isInMemory(row) || !lanes.has(row.lane);
    const parked = await this.#writeParts({
      take: () => tableWrites.takeParked(isVoid),
      write: (rows) => this.#park(rows),
      giveBack: (rows) => tableWrites.park(rows),
    });
    const behind = await this.#writeParts({
      take: () => tableWrites.takeBehind(isVoid),
      write: (rows) => this.#setBehind(rows),
      giveBack: (rows) => tableWrites.setBehind(rows),
    });
    floods.note([...parked, ...behind]);
    await this.promote();
  }

  async #park(rows: readonly DueDelivery[]): Promise<void> {
    const { store, desks } = this.#options;
    const parked = await store.park(this.#leasesOf(rows), rows);
    // A refill may have looked between their leaving memory and now, and have concluded that nothing is parked.
    for (const row of rows) desks.list.get(row.endpointNum)?.markParked(classOf(row));
    // One that was retried by hand since it was read is of another class now.
    for (const { endpointNum, kind } of parked) desks.list.get(endpointNum)?.markParked(kind);
  }

  async #setBehind(rows: readonly DueDelivery[]): Promise<void> {
    const { store, desks } = this.#options;
    await store.setBehind(this.#leasesOf(rows), rows);
    // What they stood behind may have gone meanwhile.
    for (const { endpointNum, order } of rows) desks.tableWrites.ask(endpointNum, order!.key);
  }

  /** Those that come while the last part is on its way are for the next time. @returns all that were written */
  async #writeParts({ take, write, giveBack }: Parts): Promise<DueDelivery[]> {
    const written: DueDelivery[] = [];
    for (let isAll = false; !isAll; ) {
      const rows = take();
      isAll = rows.length < PART;
      if (rows.length === 0) break;
      await write(rows).catch((error: unknown) => {
        giveBack(rows);
        throw error;
      });
      written.push(...rows);
      this.#options.onProgress();
    }
    return written;
  }

  /** Asks the table who is next of the keys where that is not known here. */
  async promote(): Promise<void> {
    const { store, lanes, desks } = this.#options;
    const keys = desks.tableWrites.takeAsked();
    if (keys.length === 0) return;
    const promoted = await store.promote(keys).catch((error: unknown) => {
      for (const { endpointNum, key } of keys) desks.tableWrites.ask(endpointNum, key);
      throw error;
    });
    if (promoted > 0) for (const { endpointNum } of keys) lanes.get(desks.list.get(endpointNum)?.lane ?? -1)?.wake();
  }

  #leasesOf(rows: readonly DueDelivery[]): LaneLease[] {
    return [...new Set(rows.map((row) => this.#options.lanes.get(row.lane)!.lease))];
  }
}
