import type { DueDelivery } from '../store/mailbox.ts';
import { Crowd } from './crowd.ts';
import type { Desks } from './desks.ts';
import type { FloodParker } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface PastCrowdOptions {
  readonly store: Pick<LaneStore, 'fetchDue'>;
  readonly desks: Pick<Desks, 'held' | 'memory' | 'read'>;
  readonly floods: Pick<FloodParker, 'flooded'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Takes rows in; false when not all found room. */
  readonly admit: (rows: readonly DueDelivery[]) => Promise<boolean>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** Rows of each lane that are read at once. */
const SIZE = 32;
/** How long after a read the next one may be, in ms: sooner where the last one found somebody. */
const PAUSE_MS = { least: 25, most: 100 } as const;
/**
 * The most of a worker's time that reads take. What is passed over is stepped over, once for each row, and again only for what comes late: the
 * first read past a long backlog takes long. One that failed may have run into the time limit of a statement, and the next one will, too.
 */
const SHARE = { done: 1 / 4, failed: 1 / 10 } as const;
/** A read that takes longer than the one has fewer lanes the next time, one that takes less than the other more, in ms. */
const LONG_MS = 50;
const SHORT_MS = 20;

/**
 * Where more is due than is read at once: reads rows of those who have few among them. They would wait until all that was due before is read, and sent or parked, be it of one tenant with
 * very many endpoints or of many tenants.
 */
export class PastCrowd {
  readonly #options: PastCrowdOptions;
  readonly #crowd = new Crowd();
  /** When the next read may be, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #pauseMs: number = PAUSE_MS.least;
  /** Lanes that one statement reads. */
  #lanesAtOnce = 1;
  #failure: unknown = null;

  constructor(options: PastCrowdOptions) {
    this.#options = options;
  }

  /** Once, so that it is told: a read that failed takes nothing from the round that it was part of. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /** Takes note of what a read brought that left more to be read. */
  note(rows: readonly DueDelivery[], now: number): void {
    this.#crowd.note(rows, now);
  }

  /** One read, where it is worth it. */
  async run(): Promise<void> {
    const now = performance.now();
    const { memory } = this.#options.desks;
    if (now < this.#nextAt) return;
    const tenants = this.#crowd.tenants(now);
    if (tenants.length === 0) this.#lanesAtOnce = 1;
    const room = Math.floor(memory.room / 4);
    if (tenants.length === 0 || room === 0 || !memory.hasBytes) return;
    const lanes = this.#longestWaiting(Math.min(this.#lanesAtOnce, room));
    if (lanes.length === 0) return;
    const size = Math.min(SIZE, Math.floor(room / lanes.length));
    for (const lane of lanes) lane.lookedAt = now;
    const found = await this.#read(lanes, size, tenants, now).catch((error: unknown) => {
      this.#failure = error;
      return null;
    });
    this.#pace(now, found);
    if (found !== null) await this.#takeIn(found, lanes, size, now);
  }

  /** Lanes that are behind, those first that were read longest ago. */
  #longestWaiting(most: number): readonly Lane[] {
    const behind = [...this.#options.lanes.values()].filter((lane) => lane.isBehind);
    return behind.sort((one, other) => one.lookedAt - other.lookedAt).slice(0, most);
  }

  #read(lanes: readonly Lane[], size: number, tenants: readonly number[], now: number): Promise<Found> {
    const { store, desks, floods, nowMs } = this.#options;
    const fetches = lanes.map((lane) => lane.nextLook(size, now, nowMs()));
    const over = {
      endpoints: floods.flooded().map(({ num }) => num),
      tenants: [...new Set([...tenants, ...desks.memory.fullTenants()])],
      rows: desks.held.metBy(fetches),
    };
    return desks.read(() => store.fetchDue(fetches, over));
  }

  /** When the next read may be, and of how many lanes, after one that began then. */
  #pace(began: number, found: Found | null): void {
    const end = performance.now();
    const tookMs = end - began;
    if (found === null || tookMs > LONG_MS) this.#lanesAtOnce = Math.ceil(this.#lanesAtOnce / 2);
    else if (tookMs < SHORT_MS) this.#lanesAtOnce = Math.min(this.#lanesAtOnce * 2, this.#options.lanes.size);
    const isFruitful = found !== null && found.fresh.length > 0;
    this.#pauseMs = isFruitful ? PAUSE_MS.least : Math.min(this.#pauseMs * 2, PAUSE_MS.most);
    const share = found === null ? SHARE.failed : SHARE.done;
    this.#nextAt = Math.max(began + this.#pauseMs, end + tookMs * (1 / share - 1));
  }

  async #takeIn({ rows, fresh }: Found, lanes: readonly Lane[], size: number, now: number): Promise<void> {
    // Else it is read again, before what came later.
    if (!(await this.#options.admit(fresh))) return;
    const rowsOf = Map.groupBy(rows, (row) => row.lane);
    const freshOf = Map.groupBy(fresh, (row) => row.lane);
    for (const lane of lanes) {
      const some = rowsOf.get(lane.number) ?? [];
      // A crowd of its own, due after what the main read has come to: others are behind it again.
      if (some.length >= size) this.#crowd.noteFew(some, now);
      lane.looked({ rows: some, fresh: freshOf.get(lane.number)?.length ?? 0, limit: size }, now);
    }
  }
}

interface Found {
  readonly rows: readonly DueDelivery[];
  readonly fresh: readonly DueDelivery[];
}
