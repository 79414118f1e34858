import type { DueDelivery, DueRows, FetchExclusions, LaneFetch } from '../store/mailbox.ts';
import { type Desk, VERSION_UNKNOWN } from './desk.ts';
import type { Desks } from './desks.ts';
import { FloodParker, type FloodParkerOptions } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { onRefillAdmitted, ParkedBacklog, returnUnusedTurn } from './parked-backlog.ts';
import { PastCrowd } from './past-crowd.ts';
import { StartReads } from './start-reads.ts';
import { StrandedLook } from './stranded-look.ts';
import { TableWriter, type TableWriterOptions } from './table-writer.ts';

export interface LaneReaderOptions {
  readonly store: Pick<LaneStore, 'fetchDue' | 'fetchParked' | 'parkedEndpoints' | 'stillWaiting' | 'bodies'> &
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
/** Rows whose bodies are read by one statement, as far as `bytesToRead` goes. */
const BODIES_AT_ONCE = 512;
/** Rows that are admitted, and may be sent, in one turn of the event loop: others have their turns of it in between. */
const ADMITTED_AT_ONCE = 128;
/** For how long bodies are read in one round, in ms: only between two rounds are lanes taken and given back, and rows parked. */
const ADMIT_MS = 2_000;
/** The least time between two reads of parked backlogs while slots are short, in ms: requests take far longer then. */
const CROWDED_REFILL_MS = 25;

/** Moves rows between the mailbox and the desks: what is due comes in, what an endpoint cannot take now goes back, parked. */
export class LaneReader {
  readonly #store: LaneReaderOptions['store'];
  readonly #desks: Desks;
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #nowMs: () => number;
  readonly #onProgress: () => void;
  readonly #floods: FloodParker;
  readonly #tableWriter: TableWriter;
  readonly #pastCrowd: PastCrowd;
  readonly #stranded: StrandedLook;
  readonly #parked = new ParkedBacklog();
  readonly #starts = new StartReads();
  /** Lanes in which the next round looks for endpoints with parked rows. */
  readonly #unexplored = new Set<number>();
  /**
   * Whether parked backlogs found no room after the last fetch. Then they are read before the next fetch, or live traffic might starve
   * them.
   */
  #owesRefill = false;
  /** When parked backlogs were last read, in ms of `performance.now()`, and how many requests had ended by then. */
  #refilledAt = Number.NEGATIVE_INFINITY;
  #finishedBefore = 0;

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
    const admit = (rows: readonly DueDelivery[]) => this.#admit(rows, performance.now());
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
    if (this.#owesRefill) await this.#refill();
    await this.#fetch();
    this.#onProgress();
    await this.#pastCrowd.run();
    this.#onProgress();
    this.#floods.start();
    this.#desks.relieve();
    await this.#tableWriter.write();
    await this.#refill();
    await this.#tableWriter.write();
  }

  /** In crowded mode: whether requests have ended since parked backlogs were last read, whose slots these may take. */
  isRefillDue(now: number): boolean {
    const { crowding, scheduler } = this.#desks;
    return crowding.isOn && scheduler.finished !== this.#finishedBefore && now - this.#refilledAt >= CROWDED_REFILL_MS;
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
      this.#lanes.get(lane)?.explored(found.filter((each) => each.lane === lane).length, now);
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
      isAdmitted = await this.#admit(found.fresh, performance.now());
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
   * Admits rows, as many as memory has room for, and for as long as a round may last. Bodies are read some at a time, because nobody knows
   * their size before.
   * @param seenAt when the rows were read from the mailbox, in ms of `performance.now()`
   * @returns whether all of them were admitted; the others are read again later
   */
  async #admit(fresh: readonly DueDelivery[], seenAt: number): Promise<boolean> {
    // Whether a row has a place now depends on its endpoint.
    if (this.#desks.crowding.isOn) await this.#desks.loadTargets(this.#unknown(fresh));
    let rows = this.#desks.turnAway(fresh.filter((row) => this.#laneOf(row) !== undefined));
    while (rows.length > 0) {
      if (!this.#desks.memory.hasBytes || performance.now() - seenAt > ADMIT_MS) return false;
      const some = rows.slice(0, BODIES_AT_ONCE);
      const left = await this.#admitPart(some, seenAt);
      const rest = left.length === 0 ? rows.slice(some.length) : [...left, ...rows.slice(some.length)];
      // These rows may have filled the share of their tenant or endpoint: then the bodies of the others need not be read.
      rows = this.#desks.turnAway(rest.filter((row) => this.#laneOf(row) !== undefined));
    }
    return true;
  }

  /** @returns the rows that were not read, or for which there was no room; never all of them */
  async #admitPart(rows: readonly DueDelivery[], seenAt: number): Promise<readonly DueDelivery[]> {
    const events = new Set<string>();
    for (const { eventUuid } of rows) events.add(eventUuid);
    const [{ bodies, left }] = await Promise.all([
      this.#store.bodies([...events], this.#desks.memory.bytesToRead),
      this.#desks.loadTargets(this.#unknown(rows)),
    ]);
    const readable = left.size === 0 ? rows : rows.filter(({ eventUuid }) => !left.has(eventUuid));
    const rest = left.size === 0 ? [] : rows.filter(({ eventUuid }) => left.has(eventUuid));
    for (let at = 0; at < readable.length; at += ADMITTED_AT_ONCE) {
      if (at > 0) await nextTurn();
      // The body of an event with many rows is read once, and counts once for each row.
      if (at > 0 && !this.#desks.memory.hasBytes) return [...readable.slice(at), ...rest];
      this.#desks.admit(readable.slice(at, at + ADMITTED_AT_ONCE), bodies, this.#laneOf, seenAt);
    }
    return rest;
  }

  /** Desks of these rows whose settings are to be loaded. */
  #unknown(rows: readonly DueDelivery[]): readonly Desk[] {
    const desks = new Set<Desk>();
    for (const { endpointNum, lane, endpointVersion } of rows) {
      const desk = this.#desks.list.of(endpointNum, lane);
      if (desk.version < endpointVersion) desks.add(desk);
    }
    return [...desks];
  }

  /** The lane of a row. Undefined if it was lost, or told to drain, while the bodies were read. */
  readonly #laneOf = ({ lane: number }: DueDelivery): Lane | undefined => {
    const lane = this.#lanes.get(number);
    return lane?.isDraining === false ? lane : undefined;
  };

  async #refill(): Promise<void> {
    const { list, memory, inMemory, crowding, scheduler } = this.#desks;
    const now = performance.now();
    if (crowding.isOn && now - this.#refilledAt < CROWDED_REFILL_MS) return;
    this.#refilledAt = now;
    this.#finishedBefore = scheduler.finished;
    const isServed = ({ lane, tenantNum }: Desk) =>
      this.#lanes.get(lane)?.isDraining === false && memory.tenantMayHaveMore(tenantNum);
    const nowMs = this.#nowMs();
    // Check for room before refillsOf() deals turns: a desk whose turn is spent without a read waits for all others again.
    if (!memory.hasRowsFree) {
      this.#owesRefill = this.#parked.isWanted(list, { isServed, nowMs });
      return;
    }
    const { refills, isAll } = this.#parked.refillsOf(list, { isServed, places: crowding.places(), scheduler, nowMs });
    this.#owesRefill = !isAll;
    if (refills.length === 0) return;
    const fetches = refills.map(({ fetch }) => fetch);
    const known = inMemory.ofEndpoints(new Set(fetches.map(({ endpointNum }) => endpointNum)));
    const { rows, fresh } = await this.#desks.read(async () => ({
      rows: await this.#store.fetchParked(fetches, known),
    }));
    const isAdmitted = await this.#admit(fresh, performance.now());
    for (const refill of refills) returnUnusedTurn(refill);
    // Only now: the cursor must not pass rows that did not come into memory.
    if (isAdmitted) for (const refill of refills) onRefillAdmitted(refill, rows);
  }

  /**
   * When the process stops: waits for the parking under way and promotes what is still to be promoted. Nobody would look for these rows.
   */
  async finish(): Promise<void> {
    await this.#floods.finish();
    await this.#tableWriter.promote();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
