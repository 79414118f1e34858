import type { DueDelivery } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface RowLoaderOptions {
  readonly store: Pick<LaneStore, 'bodies'>;
  readonly desks: Pick<Desks, 'list' | 'memory' | 'crowding' | 'loadTargets' | 'turnAway' | 'admit'>;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
}

/** Rows whose bodies are read by one statement, as far as `bytesToRead` goes. */
const BODIES_AT_ONCE = 512;
/** Rows that are admitted, and may be sent, in one turn of the event loop: others have their turns of it in between. */
const ADMITTED_AT_ONCE = 128;
/** For how long bodies are read in one round, in ms: only between two rounds are lanes taken and given back, and rows parked. */
const ADMIT_MS = 2_000;

/** Brings rows that were read from the mailbox to their desks: loads the bodies of their events, and settings of endpoints that are not known. */
export class RowLoader {
  readonly #options: RowLoaderOptions;

  constructor(options: RowLoaderOptions) {
    this.#options = options;
  }

  /**
   * Admits rows, as many as memory has room for, and for as long as a round may last. Bodies are read some at a time, because nobody knows
   * their size before.
   * @param seenAt when the rows were read from the mailbox, in ms of `performance.now()`
   * @returns whether all of them were admitted; the others are read again later
   */
  async admit(fresh: readonly DueDelivery[], seenAt: number): Promise<boolean> {
    const { desks } = this.#options;
    // Whether a row has a place now depends on its endpoint.
    if (desks.crowding.isOn) await desks.loadTargets(this.#unknown(fresh));
    let rows = desks.turnAway(fresh.filter((row) => this.#laneOf(row) !== undefined));
    while (rows.length > 0) {
      if (!desks.memory.hasBytes || performance.now() - seenAt > ADMIT_MS) return false;
      const some = rows.slice(0, BODIES_AT_ONCE);
      const left = await this.#admitPart(some, seenAt);
      const rest = left.length === 0 ? rows.slice(some.length) : [...left, ...rows.slice(some.length)];
      // These rows may have filled the share of their tenant or endpoint: then the bodies of the others need not be read.
      rows = desks.turnAway(rest.filter((row) => this.#laneOf(row) !== undefined));
    }
    return true;
  }

  /** @returns the rows that were not read, or for which there was no room; never all of them */
  async #admitPart(rows: readonly DueDelivery[], seenAt: number): Promise<readonly DueDelivery[]> {
    const { store, desks } = this.#options;
    const events = new Set<string>();
    for (const { eventUuid } of rows) events.add(eventUuid);
    const [{ bodies, left }] = await Promise.all([
      store.bodies([...events], desks.memory.bytesToRead),
      desks.loadTargets(this.#unknown(rows)),
    ]);
    const readable = left.size === 0 ? rows : rows.filter(({ eventUuid }) => !left.has(eventUuid));
    const rest = left.size === 0 ? [] : rows.filter(({ eventUuid }) => left.has(eventUuid));
    for (let at = 0; at < readable.length; at += ADMITTED_AT_ONCE) {
      if (at > 0) await nextTurn();
      // The body of an event with many rows is read once, and counts once for each row.
      if (at > 0 && !desks.memory.hasBytes) return [...readable.slice(at), ...rest];
      desks.admit(readable.slice(at, at + ADMITTED_AT_ONCE), bodies, this.#laneOf, seenAt);
    }
    return rest;
  }

  /** Desks of these rows whose settings are to be loaded. */
  #unknown(rows: readonly DueDelivery[]): readonly Desk[] {
    const desks = new Set<Desk>();
    for (const { endpointNum, lane, endpointVersion } of rows) {
      const desk = this.#options.desks.list.of(endpointNum, lane);
      if (desk.version < endpointVersion) desks.add(desk);
    }
    return [...desks];
  }

  /** The lane of a row. Undefined if it was lost, or told to drain, while the bodies were read. */
  readonly #laneOf = ({ lane: number }: DueDelivery): Lane | undefined => {
    const lane = this.#options.lanes.get(number);
    return lane?.isDraining === false ? lane : undefined;
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
