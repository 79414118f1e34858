import type { Cursor, DueDelivery, DueRows } from '../store/mailbox.ts';
import type { Crowd } from './crowd.ts';
import type { Desks } from './desks.ts';
import type { FloodParker } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import type { Look } from './look.ts';
import type { LookKind } from './past-looks.ts';

export interface PastReadOptions {
  readonly store: Pick<LaneStore, 'fetchDue'>;
  readonly desks: Pick<Desks, 'inMemory' | 'memory' | 'read'>;
  readonly floods: Pick<FloodParker, 'flooded'>;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Admits rows. @returns false if not all found room */
  readonly admit: (rows: readonly DueDelivery[]) => Promise<boolean>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** The most rows of each lane that are read at once. */
const MOST_ROWS = 500;
/** The most rows of all lanes that are read at once, as a share of the rows that are free in memory. */
const ROOM_SHARE = 1 / 4;
/**
 * The time from the beginning of a read to that of the next, in ms: the least if the last read found new rows, or there are more to look
 * at.
 */
const PAUSE_MS = { least: 25, most: 100 } as const;
/** The pause after a read that failed, in ms: Postgres may have stood still. */
const AFTER_FAILURE_MS = 5_000;
/**
 * The pause after the second and each further failure in a row, as a multiple of the time that the read took: it may run into the time limit
 * of a statement each time, and all lanes wait for it.
 */
const FAILURE_PAUSE_FACTOR = 10;

interface Found extends DueRows {
  readonly fresh: readonly DueDelivery[];
}

/** Makes one of the looks of `PastLooks` in all lanes that may have unread rows. */
export class PastRead {
  readonly #options: PastReadOptions;
  readonly #crowd: Pick<Crowd, 'notePast'>;
  readonly #kind: LookKind;
  readonly #share: number;
  /** When the next read may begin, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #pauseMs: number = PAUSE_MS.least;
  #failure: unknown = null;
  /** Whether the last read failed. */
  #hasFailed = false;

  /** @param share the most of a worker's time that it takes */
  constructor(
    options: PastReadOptions,
    crowd: Pick<Crowd, 'notePast'>,
    [kind, share]: readonly [LookKind, share: number],
  ) {
    this.#options = options;
    this.#crowd = crowd;
    this.#kind = kind;
    this.#share = share;
  }

  /** Throws the failure of the last read once, so that it is reported. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /** Whether it is time for a read, and there is a lane to read. */
  isDue(now: number): boolean {
    return now >= this.#nextAt && this.#lanesDue().length > 0;
  }

  /** Makes a read if it is time. @param tenants whose rows are passed over. @returns false when it failed */
  async run(tenants: readonly number[]): Promise<boolean> {
    const now = performance.now();
    if (now < this.#nextAt) return true;
    const lanes = this.#lanesDue();
    if (lanes.length === 0) return true;
    const size = Math.min(MOST_ROWS, Math.floor(this.#room / lanes.length));
    for (const lane of lanes) this.#lookOf(lane).lookedAt = now;
    const found = await this.#read(lanes, size, tenants).catch((error: unknown) => {
      this.#failure = error;
      return null;
    });
    this.#pace(now, found);
    if (found === null) return false;
    await this.#admit(found, lanes, size, now);
    return true;
  }

  get #room(): number {
    return Math.floor(this.#options.desks.memory.freeRows * ROOM_SHARE);
  }

  #lanesDue(): readonly Lane[] {
    return this.#options.desks.memory.isReadUseful && this.#room > 0 ? this.#lanesToRead(this.#room) : [];
  }

  #lookOf(lane: Lane): Look {
    return lane.looks[this.#kind];
  }

  #lanesToRead(most: number): readonly Lane[] {
    const lanes = [...this.#options.lanes.values()].filter(
      (lane) => lane.mayHaveUnreadDue && !this.#lookOf(lane).isOver,
    );
    return lanes.sort((one, other) => this.#lookOf(one).lookedAt - this.#lookOf(other).lookedAt).slice(0, most);
  }

  #read(lanes: readonly Lane[], limit: number, tenants: readonly number[]): Promise<Found> {
    const { store, desks, floods, nowMs } = this.#options;
    const clockMs = nowMs();
    const afterOf = (lane: Lane) => lane.notRead(this.#lookOf(lane).next(clockMs));
    const fetches = lanes.map((lane) => ({ lane: lane.number, after: afterOf(lane), limit }));
    const over = {
      endpoints: floods.flooded().map(({ num }) => num),
      tenants,
      rows: desks.inMemory.metBy(fetches),
    };
    return desks.read(() => store.fetchDue(fetches, over));
  }

  /** Sets when the next read may begin. @param found null if this one failed */
  #pace(began: number, found: Found | null): void {
    const end = performance.now();
    const tookMs = end - began;
    const goesOn = found !== null && (found.fresh.length > 0 || found.stops.size > 0);
    this.#pauseMs = goesOn ? PAUSE_MS.least : Math.min(this.#pauseMs * 2, PAUSE_MS.most);
    const hasFailedBefore = this.#hasFailed;
    this.#hasFailed = found === null;
    const afterFailureMs = hasFailedBefore ? tookMs * FAILURE_PAUSE_FACTOR : AFTER_FAILURE_MS;
    const restMs = found === null ? afterFailureMs : tookMs * (1 / this.#share - 1);
    this.#nextAt = Math.max(began + this.#pauseMs, end + restMs);
  }

  async #admit({ rows, fresh, stops }: Found, lanes: readonly Lane[], size: number, now: number): Promise<void> {
    // If not all rows found room, this place is read again, before what came later.
    if (!(await this.#options.admit(fresh))) return;
    const rowsOf = Map.groupBy(rows, (row) => row.lane);
    const ends = new Map<Lane, Cursor>();
    let isOneMore = false;
    for (const lane of lanes) {
      const some = rowsOf.get(lane.number) ?? [];
      const isFull = some.length >= size;
      // Many rows of one tenant again, due later than the main read has come: other tenants are behind these.
      isOneMore = (isFull && this.#crowd.notePast(some, now)) || isOneMore;
      const end: Cursor | null = (isFull ? some.at(-1) : stops.get(lane.number)) ?? null;
      if (end !== null) ends.set(lane, end);
      this.#lookOf(lane).took(end);
    }
    if (isOneMore) for (const [lane, end] of ends) lane.looks.skippedFrom(end);
    for (const { lane } of fresh) this.#options.lanes.get(lane)?.onFreshRows(now);
  }
}
