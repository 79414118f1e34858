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
 * The most of a worker's time that reads take: what is passed over is stepped over, once for each row, and again only for what comes late. The first read past a
 * long backlog takes long.
 */
const SHARE = 1 / 4;
/** How much longer than a read took that failed a lane of it waits for the next one: it may have run into the time limit of a statement, and will again. */
const AFTER_FAILURE = 10;
/** How often lanes are looked through anew because a tenant is passed over no more, in ms; more rarely where stepping over the backlog takes long. */
const LOOK_ANEW_MS = 5_000;
const LOOK_ANEW_SHARE = 1 / 40;

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
  /** Tenants whose rows some lane passed over, and when lanes began anew because one is no more. */
  #passedOver = new Set<number>();
  #anewAt = Number.NEGATIVE_INFINITY;
  /** The longest read since then, as if it had been of all lanes of the process, in ms. */
  #longestMs = 0;
  /** Lanes of a read that failed, by when each may be read, alone, and when the next of them may be, in ms of `performance.now()`. */
  readonly #suspects = new Map<Lane, number>();
  #nextSuspectAt = Number.NEGATIVE_INFINITY;
  #failure: unknown = null;

  constructor(options: PastCrowdOptions) {
    this.#options = options;
  }

  /** Once, so that it is told. */
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
    const crowd = this.#crowd.tenants(now);
    const room = Math.floor(memory.room / 4);
    if (crowd.length === 0 || room === 0 || !memory.hasBytes) return;
    const lanes = this.#lanesToRead(room, now);
    if (lanes.length === 0) return;
    const tenants = new Set([...crowd, ...memory.fullTenants()]);
    this.#lookAnew(tenants, now);
    const size = Math.min(SIZE, Math.floor(room / lanes.length));
    for (const lane of lanes) lane.lookedAt = now;
    const found = await this.#read(lanes, size, [...tenants]).catch((error: unknown) => {
      this.#failure = error;
      return null;
    });
    this.#pace(now, lanes, found);
    if (found !== null) await this.#takeIn(found, lanes, size, now);
  }

  /** Those that are behind; but of those whose read failed one alone, now and then. */
  #lanesToRead(most: number, now: number): readonly Lane[] {
    const behind = [...this.#options.lanes.values()].filter((lane) => lane.isBehind);
    for (const lane of this.#suspects.keys()) if (!behind.includes(lane)) this.#suspects.delete(lane);
    const longestFirst = behind.sort((one, other) => one.lookedAt - other.lookedAt);
    const isDue = (lane: Lane) => (this.#suspects.get(lane) ?? Infinity) <= now;
    const suspect = now < this.#nextSuspectAt ? undefined : longestFirst.find(isDue);
    if (suspect !== undefined) return [suspect];
    return longestFirst.filter((lane) => !this.#suspects.has(lane)).slice(0, most);
  }

  /** What was passed over stands behind where the next read begins. Whose it is may have few now. */
  #lookAnew(tenants: ReadonlySet<number>, now: number): void {
    const isMissing = [...this.#passedOver].some((tenant) => !tenants.has(tenant));
    for (const tenant of tenants) this.#passedOver.add(tenant);
    const pauseMs = Math.max(LOOK_ANEW_MS, this.#longestMs / LOOK_ANEW_SHARE);
    if (!isMissing || this.#suspects.size > 0 || now - this.#anewAt < pauseMs) return;
    this.#longestMs = 0;
    this.#passedOver = new Set(tenants);
    this.#anewAt = now;
    for (const lane of this.#options.lanes.values()) lane.lookAnew();
  }

  #read(lanes: readonly Lane[], size: number, tenants: readonly number[]): Promise<Found> {
    const { store, desks, floods, nowMs } = this.#options;
    const fetches = lanes.map((lane) => lane.nextLook(size, nowMs()));
    const over = {
      endpoints: floods.flooded().map(({ num }) => num),
      tenants,
      rows: desks.held.metBy(fetches),
    };
    return desks.read(() => store.fetchDue(fetches, over));
  }

  /** When the next read may be, after one of these lanes that began then. */
  #pace(began: number, lanes: readonly Lane[], found: Found | null): void {
    const end = performance.now();
    const tookMs = end - began;
    const isOfSuspect = this.#suspects.has(lanes[0]!);
    for (const lane of lanes) {
      if (found !== null) this.#suspects.delete(lane);
      // Of several, one may be at fault: they are read one by one.
      else this.#suspects.set(lane, lanes.length > 1 ? end : end + tookMs * AFTER_FAILURE);
    }
    this.#longestMs = Math.max(this.#longestMs, (tookMs * this.#options.lanes.size) / lanes.length);
    const isFruitful = found !== null && found.fresh.length > 0;
    this.#pauseMs = isFruitful ? PAUSE_MS.least : Math.min(this.#pauseMs * 2, PAUSE_MS.most);
    const nextAt = Math.max(began + this.#pauseMs, end + tookMs * (1 / SHARE - 1));
    // The others do not wait for the time that one at fault has had.
    if (isOfSuspect) this.#nextSuspectAt = nextAt;
    else this.#nextAt = nextAt;
  }

  async #takeIn({ rows, fresh }: Found, lanes: readonly Lane[], size: number, now: number): Promise<void> {
    // Else it is read again, before what came later.
    if (!(await this.#options.admit(fresh))) return;
    const rowsOf = Map.groupBy(rows, (row) => row.lane);
    const freshOf = Map.groupBy(fresh, (row) => row.lane);
    for (const lane of lanes) {
      const some = rowsOf.get(lane.number) ?? [];
      // A crowd of its own, due after what the main read has come to: others are behind it again.
      if (some.length >= size) this.#crowd.notePast(some, now);
      lane.looked({ rows: some, fresh: freshOf.get(lane.number)?.length ?? 0, limit: size }, now);
    }
  }
}

interface Found {
  readonly rows: readonly DueDelivery[];
  readonly fresh: readonly DueDelivery[];
}
