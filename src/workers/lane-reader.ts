import type { DueDelivery, DueRows, FetchExclusions, LaneFetch } from '../store/mailbox.ts';
import { VERSION_UNKNOWN } from './desk.ts';
import type { Desks } from './desks.ts';
import { FloodParker, type FloodParkerOptions } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { ParkedReader, type ParkedReaderOptions } from './parked-reader.ts';
import { PastCrowd } from './past-crowd.ts';
import { RowLoader, type RowLoaderOptions } from './row-loader.ts';
import { StartReads } from './start-reads.ts';
import { StrandedLook } from './stranded-look.ts';
import { TableWriter, type TableWriterOptions } from './table-writer.ts';

export interface LaneReaderOptions {
  readonly store: Pick<LaneStore, 'fetchDue' | 'parkedEndpoints' | 'stillWaiting'> &
    ParkedReaderOptions['store'] &
    RowLoaderOptions['store'] &
    FloodParkerOptions['store'] &
    TableWriterOptions['store'];
  readonly desks: Desks;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Requests that may be under way at once. */
  readonly maxInFlight: number;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly onFailure: (what: string, error: unknown) => void;
  /** Called when a statement that may take long is over, and the round goes on. */
  readonly onProgress: () => void;
}

type ByLane = Map<number, DueDelivery[]>;

/** One statement that reads due rows of several lanes. */
interface FetchPlan {
  readonly lanes: readonly Lane[];
  /** One for each lane, in the same order. */
  readonly fetches: readonly LaneFetch[];
  /** What it passes over. */
  readonly over: FetchExclusions;
  /** In ms of `performance.now()`. */
  readonly startedAt: number;
}

interface Found extends DueRows {
  /** The rows that are not in memory. */
  readonly fresh: readonly DueDelivery[];
}

/** The most rows of a lane that are fetched at once, and the least, however little room each lane has. */
const FETCH_SIZE = 500;
const LEAST_FETCH_SIZE = 8;

/** Moves rows between the mailbox and the desks: what is due comes in, what an endpoint cannot take now goes back, parked. */
export class LaneReader {
  readonly #store: LaneReaderOptions['store'];
  readonly #desks: Desks;
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #nowMs: () => number;
  readonly #onProgress: () => void;
  readonly #floods: FloodParker;
  readonly #tableWriter: TableWriter;
  readonly #loader: RowLoader;
  readonly #pastCrowd: PastCrowd;
  readonly #stranded: StrandedLook;
  readonly #parked: ParkedReader;
  readonly #starts = new StartReads();
  /** Lanes in which the next round looks for endpoints with parked rows. */
  readonly #unexplored = new Set<number>();

  constructor(options: LaneReaderOptions) {
    const { store, desks, lanes, maxInFlight, nowMs, onFailure, onProgress } = options;
    const { list } = desks;
    this.#store = store;
    this.#desks = desks;
    this.#lanes = lanes;
    this.#nowMs = nowMs;
    this.#onProgress = onProgress;
    this.#floods = new FloodParker({ store, list, lanes, maxInFlight, onFailure });
    this.#tableWriter = new TableWriter({ store, desks, lanes, floods: this.#floods, onProgress });
    this.#stranded = new StrandedLook({ store, lanes, onOver: (lane) => this.explore(lane) });
    this.#loader = new RowLoader({ store, desks, lanes });
    this.#parked = new ParkedReader({ store, desks, lanes, loader: this.#loader, nowMs });
    const admit = (rows: readonly DueDelivery[]) => this.#loader.admit(rows, performance.now());
    this.#pastCrowd = new PastCrowd({ store, desks, floods: this.#floods, lanes, admit, nowMs });
  }

  /** One round of reading. */
  async runOnce(): Promise<void> {
    this.#stranded.throwFailure();
    this.#pastCrowd.throwFailure();
    await this.#desks.recheck((rows) => this.#store.stillWaiting(rows));
    await this.#tableWriter.promote();
    // Back-pressure: too many decided rows are unwritten. Write them first; if that throws, the round ends and nothing more is read.
    if (this.#desks.tableWrites.isFull) await this.#tableWriter.write();
    await this.#findParked();
    if (this.#parked.isOwed) await this.#parked.read();
    await this.#fetch();
    this.#onProgress();
    await this.#pastCrowd.run();
    this.#onProgress();
    this.#floods.start();
    this.#desks.relieve();
    await this.#tableWriter.write();
    await this.#parked.read();
    await this.#tableWriter.write();
  }

  /** See `ParkedReader.isDue`. */
  isRefillDue(now: number): boolean {
    return this.#parked.isDue(now);
  }

  /** Whether it is time to look past a crowd. */
  isLookDue(now: number): boolean {
    return this.#pastCrowd.isDue(now);
  }

  /** Whether rows of a lane may be parked, or promoted, that this process does not know of yet. */
  mayBring(lane: number): boolean {
    return this.#floods.isParking || this.#stranded.isUnderWay || this.#unexplored.has(lane);
  }

  /** Has the parked endpoints of a lane looked for at the next round. */
  explore(lane: number): void {
    this.#unexplored.add(lane);
  }

  async #findParked(): Promise<void> {
    const lanes = [...this.#unexplored].filter((lane) => this.#lanes.has(lane));
    if (lanes.length === 0) return;
    const found = await this.#store.parkedEndpoints(lanes);
    const now = performance.now();
    for (const lane of lanes) {
      this.#unexplored.delete(lane);
      this.#lanes.get(lane)?.exploration.found(found.filter((each) => each.lane === lane).length, now);
    }
    const ours = found.filter(({ lane }) => this.#lanes.has(lane));
    const desks = ours.map(({ lane, endpointNum }) => this.#desks.list.of(endpointNum, lane));
    for (const desk of desks) desk.foundParked();
    await this.#desks.loadTargets(desks.filter((desk) => desk.version === VERSION_UNKNOWN));
    this.#stranded.start(ours, lanes);
  }

  async #fetch(): Promise<void> {
    const plan = this.#planFetch();
    if (plan === null) return;
    const found = await this.#readDue(plan);
    this.#noteFetched(plan, found);
    let isAdmitted = false;
    try {
      isAdmitted = await this.#loader.admit(found.fresh, performance.now());
    } finally {
      for (const lane of plan.lanes) {
        if (isAdmitted) this.#onFetchAdmitted(lane);
        else lane.onFetchNotAdmitted();
      }
    }
  }

  /** What to fetch now, and for which lanes: one statement serves them all. Null if no lane may fetch, or memory has no room. */
  #planFetch(): FetchPlan | null {
    const { memory, inMemory } = this.#desks;
    const lanes = [...this.#lanes.values()].filter((lane) => lane.mayFetch && !lane.isDraining);
    const rows = memory.rowsToFetchNow;
    if (lanes.length === 0 || rows === 0) return null;
    const startedAt = performance.now();
    const size = Math.max(LEAST_FETCH_SIZE, Math.min(FETCH_SIZE, Math.floor(rows / lanes.length)));
    memory.noteFetch(startedAt);
    const fetches = lanes.map((lane) => lane.nextFetch(size, startedAt, this.#nowMs(), this.#starts));
    const over = {
      endpoints: this.#floods.flooded().map(({ num }) => num),
      tenants: memory.fullTenants(),
      rows: inMemory.metBy(fetches),
    };
    return { lanes, fetches, over, startedAt };
  }

  /** Reads the due rows, and takes note of how long that took, also if it failed. @throws what the statement throws */
  async #readDue({ lanes, fetches, over, startedAt }: FetchPlan): Promise<Found> {
    let found: Found | null = null;
    try {
      found = await this.#desks.read(() => this.#store.fetchDue(fetches, over));
      return found;
    } finally {
      const end = performance.now();
      this.#starts.took(lanes, end - startedAt, this.#lanes.size, end);
      if (found === null) for (const lane of lanes) lane.fetchFailed(this.#starts);
    }
  }

  /** Tells each lane what the fetch brought for it. */
  #noteFetched({ lanes, fetches, over, startedAt }: FetchPlan, { rows, fresh, stops }: Found): void {
    const [rowsOf, freshOf] = [rows, fresh].map((some) => Map.groupBy(some, (row) => row.lane)) as [ByLane, ByLane];
    const isAnyFull = fetches.some(({ lane, limit }) => (rowsOf.get(lane)?.length ?? 0) >= limit);
    if (isAnyFull) this.#pastCrowd.note(rows, startedAt);
    for (const [i, lane] of lanes.entries()) {
      const wasWoken = lane.mayFetch;
      const found = {
        rows: rowsOf.get(lane.number) ?? [],
        fresh: freshOf.get(lane.number)?.length ?? 0,
        limit: fetches[i]!.limit,
        stop: stops.get(lane.number),
      };
      if (over.tenants.length === 0) lane.fetched(found, startedAt);
      else lane.fetchedPast(found, startedAt);
      if (wasWoken) lane.wake();
    }
  }

  #onFetchAdmitted(lane: Lane): void {
    const partsMs = lane.onFetchAdmitted(performance.now());
    if (partsMs !== null) this.#starts.walked(lane.number, partsMs, this.#lanes);
  }

  /**
   * When the process stops: waits for the parking under way and promotes what is still to be promoted. Nobody would look for these rows.
   */
  async finish(): Promise<void> {
    await this.#floods.finish();
    await this.#tableWriter.promote();
  }
}
