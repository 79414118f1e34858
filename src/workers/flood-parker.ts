import { type DueDelivery, START } from '../store/mailbox.ts';
import { ago } from './cursor.ts';
import type { Desk } from './desk.ts';
import type { DeskList } from './desk-list.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface FloodParkerOptions {
  readonly store: Pick<LaneStore, 'parkEndpoints' | 'promoteAll'>;
  readonly list: DeskList;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Requests that may be under way at once. */
  readonly maxInFlight: number;
  readonly onFailure: (what: string, error: unknown) => void;
}

interface Flood {
  /** When it began, and when rows of it were last met, in ms of `performance.now()`. */
  readonly since: number;
  foundAt: number;
}

/** What the last parking statement tells. */
interface FloodLook {
  /** Whether it parked all that it found, and could have parked more. */
  readonly isWhole: boolean;
  /** Lanes that it went through from the start to the end. */
  readonly searched: ReadonlySet<number>;
}

/**
 * From so many rows of one endpoint that are returned to the table at once, as a share of the requests that may be under way, its rows are
 * parked unread.
 */
const FLOOD_SHARE = 1 / 16;
/** The most endpoints that the fetch passes over at once. */
const MAX_FLOODED = 64;
/** The most rows that one statement parks. */
const FLOOD_SIZE = 500;
/** The least pause after a statement that found fewer rows than it could park, in ms. */
const FLOOD_MS = 50;
/** The same pause as a multiple of the time that the statement took: where dead rows cannot be cleaned up it steps over all of them. */
const PAUSE_FACTOR = 4;
/** How late a commit may be, in ms: a sweep begins so long before the first row of its flood. */
const LATE_MS = 1_000;
/**
 * From this age on, in ms, the flood of an ordered endpoint is ended, so that the next rows of its keys are promoted and read. Beside a long
 * backlog of others, or with one of its own, the sweep takes minutes, and the fetch passes over the endpoint's unparked rows meanwhile.
 */
const ORDERED_MS = 2_000;
/** The flood lasts at least this multiple of the time that the last promotion took. */
const PROMOTION_FACTOR = 20;
/** If no row of a flood is met for this long, in ms, the flood is over though parked rows wait: an endpoint may stay closed for hours. */
const QUIET_MS = 10_000;
/** The least pause after a parking that failed, in ms: an answer that was lost says nothing about the next one. */
const AFTER_FAILURE_MS = 200;
/**
 * The pause after the second and each further failure in a row, as a multiple of the time that the parking took: it may run into the time
 * limit of a statement each time.
 */
const FAILURE_PAUSE_FACTOR = 10;
/**
 * After a sweep from the start failed, none begins there for this long, in ms. While a transaction stays open that sees old rows, such a
 * sweep steps over everything that was delivered since. A flood is over meanwhile when the sweep from where it was met has come to the end.
 */
const NOT_FROM_START_MS = 60_000;

/**
 * Parks the rows of endpoints that get far more than they can take, many at a time and unread, so that the rows of others are not behind
 * them.
 */
export class FloodParker {
  readonly #options: FloodParkerOptions;
  /** When the next parking may begin, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  /** Until when no parking may begin, and no flood, because one failed: rows that are passed over and not parked would stand still. */
  #failedUntil = Number.NEGATIVE_INFINITY;
  /** Until when no sweep begins at the start. */
  #notFromStartUntil = Number.NEGATIVE_INFINITY;
  #parking: Promise<void> | null = null;
  /** Desks that are flooded, and some that were. Kept apart because they are asked for at each tick, and there may be very many desks. */
  readonly #noted = new Map<Desk, Flood>();
  /** How long the last promotion took, in ms. */
  #promotingMs = 0;

  constructor(options: FloodParkerOptions) {
    this.#options = options;
  }

  /** Takes note of rows that were returned to the table together. An endpoint that many of them are for gets more than it can take. */
  note(rows: readonly DueDelivery[]): void {
    const { list, lanes, maxInFlight } = this.#options;
    const many = Math.max(1, maxInFlight * FLOOD_SHARE);
    if (rows.length < many || performance.now() < this.#failedUntil) return;
    for (const [num, ours] of Map.groupBy(rows, (row) => row.endpointNum)) {
      const desk = list.get(num);
      if (desk === undefined || ours.length < many) continue;
      const now = performance.now();
      const known = this.#noted.get(desk);
      if (desk.flood === null || known === undefined) this.#noted.set(desk, { since: now, foundAt: now });
      else known.foundAt = now;
      desk.flood = ours[0]!.order === null ? 'plain' : 'ordered';
      // Sweep from just before this row, not from the start: others' older rows need not be scanned. Just before, because late rows that the
      // fetch now skips must be found.
      lanes.get(desk.lane)?.flood.goFrom(ago(ours[0]!.dueAtMs, LATE_MS));
    }
  }

  /** The desks whose rows the fetch is to pass over. */
  flooded(): Desk[] {
    const flooded: Desk[] = [];
    for (const desk of this.#noted.keys()) {
      if (flooded.length >= MAX_FLOODED) break;
      // Its lane may have gone meanwhile, and come back with another desk.
      if (desk.flood === null || this.#options.list.get(desk.num) !== desk) this.#noted.delete(desk);
      else if (this.#options.lanes.get(desk.lane)?.isDraining === false) flooded.push(desk);
    }
    return flooded;
  }

  /** Whether rows are being parked that this process may not know of yet. */
  get isParking(): boolean {
    return this.#parking !== null;
  }

  /** Resolves when nothing is being parked. */
  async finish(): Promise<void> {
    await this.#parking;
  }

  /** Starts a parking if one is due. It runs beside the rounds: it takes long, and the deliveries of others do not wait for it. */
  start(): void {
    if (this.#parking !== null || performance.now() < this.#nextAt) return;
    const desks = this.flooded();
    if (desks.length === 0) return;
    const startedAt = performance.now();
    this.#parking = this.#park(desks)
      .then(() => {
        this.#hasFailed = false;
      })
      .catch((error: unknown) => {
        this.#failed(startedAt, error);
        this.#giveUp(desks);
      })
      .finally(() => {
        this.#parking = null;
      });
  }

  /** A failure is reported at once, and ends no round. */
  #failed(startedAt: number, error: unknown): void {
    const now = performance.now();
    this.#failedUntil =
      now + Math.max(AFTER_FAILURE_MS, this.#hasFailed ? FAILURE_PAUSE_FACTOR * (now - startedAt) : 0);
    this.#nextAt = this.#failedUntil;
    this.#hasFailed = true;
    this.#options.onFailure('parking of a flood', error);
  }

  /**
   * Ends the floods of these lanes: their rows are read, some at a time, and met again. Otherwise the fetch would skip them until a parking
   * succeeds.
   */
  #giveUp(desks: readonly Desk[]): void {
    const numbers = new Set(desks.map(({ lane }) => lane));
    // Also the floods that were met meanwhile: they share the sweep of their lane.
    for (const desk of this.#noted.keys()) {
      const lane = this.#options.lanes.get(desk.lane);
      if (!numbers.has(desk.lane)) continue;
      // The next rows of its keys may be parked: the next look for stranded rows promotes them.
      if (desk.flood === 'ordered' && lane !== undefined) lane.strandedAt = Number.NEGATIVE_INFINITY;
      desk.flood = null;
    }
    for (const number of numbers) {
      const lane = this.#options.lanes.get(number);
      lane?.flood.giveUp();
      lane?.lookBack();
    }
  }

  async #park(desks: readonly Desk[]): Promise<void> {
    for (const desk of desks) desk.wasFlooded = true;
    const startedAt = performance.now();
    const look = await this.#look(desks);
    if (look.isWhole)
      this.#nextAt = performance.now() + Math.max(FLOOD_MS, PAUSE_FACTOR * (performance.now() - startedAt));
    await this.#end(desks, look);
  }

  async #look(desks: readonly Desk[]): Promise<FloodLook> {
    const { store, lanes } = this.#options;
    const flooded = [...new Set(desks.map(({ lane }) => lanes.get(lane)!))];
    const after = new Map(flooded.map((lane) => [lane.number, lane.flood.next()]));
    const leases = flooded.map(({ lease }) => lease);
    const nums = desks.map(({ num }) => num);
    const { parked, ends } = await store.parkEndpoints(leases, nums, FLOOD_SIZE, after).catch((error: unknown) => {
      // The statement may have succeeded all the same.
      for (const desk of desks) desk.markParked();
      if ([...after.values()].includes(START)) this.#notFromStartUntil = performance.now() + NOT_FROM_START_MS;
      throw error;
    });
    for (const lane of flooded) lane.flood.took(ends.get(lane.number) ?? null);
    let count = 0;
    for (const { endpointNum, kind, rows } of parked) {
      this.#options.list.get(endpointNum)?.markParked(kind);
      count += rows;
    }
    this.#noteFound(desks, new Set(parked.map(({ endpointNum }) => endpointNum)));
    return {
      isWhole: count < FLOOD_SIZE,
      searched: new Set([...after].filter(([lane, place]) => place === START && !ends.has(lane)).map(([lane]) => lane)),
    };
  }

  #noteFound(desks: readonly Desk[], nums: ReadonlySet<number>): void {
    const now = performance.now();
    for (const desk of desks) {
      const flood = this.#noted.get(desk);
      if (flood !== undefined && nums.has(desk.num)) flood.foundAt = now;
    }
  }

  /**
   * @returns whether the flood is over. Normally not while the lane's sweep is unfinished: skipped rows may stand there. An ordered flood
   * then ends: what is promoted later is no flood.
   */
  #isOver(desk: Desk, { isWhole, searched }: FloodLook): boolean {
    const { lane, flood, hasParked } = desk;
    const known = this.#noted.get(desk);
    // Its lane may have gone meanwhile.
    if (known === undefined) return true;
    if (this.#options.lanes.get(lane)?.flood.isOver === false) return false;
    if (performance.now() < this.#notFromStartUntil) return true;
    if (!isWhole) return false;
    const isQuiet = searched.has(lane) && performance.now() - known.foundAt >= QUIET_MS;
    return flood === 'ordered' || !hasParked || isQuiet;
  }

  /** Whether an ordered flood has lasted long enough: its other rows are then read again, and met again. */
  #isLong(desk: Desk): boolean {
    const lastsMs = performance.now() - (this.#noted.get(desk)?.since ?? Number.POSITIVE_INFINITY);
    return desk.flood === 'ordered' && lastsMs >= Math.max(ORDERED_MS, PROMOTION_FACTOR * this.#promotingMs);
  }

  async #end(desks: readonly Desk[], look: FloodLook): Promise<void> {
    const long = new Set(desks.filter((desk) => this.#isLong(desk)));
    const isOver = (desk: Desk) => long.has(desk) || this.#isOver(desk, look);
    const over = desks.filter(isOver);
    await this.#promote(over.filter(({ flood }) => flood === 'ordered'));
    // More may have come meanwhile.
    for (const desk of over) if (isOver(desk)) desk.flood = null;
  }

  /** Promotes the next rows of the endpoints' keys: their predecessors may have left while they were set behind these. */
  async #promote(ordered: readonly Desk[]): Promise<void> {
    if (ordered.length === 0) return;
    const { store, lanes } = this.#options;
    const startedAt = performance.now();
    const promoted = await store.promoteAll(ordered.map(({ num }) => num));
    this.#promotingMs = performance.now() - startedAt;
    if (promoted > 0) for (const { lane } of ordered) lanes.get(lane)?.wake();
  }
}
