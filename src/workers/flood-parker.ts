import { type DueDelivery, START } from '../store/mailbox.ts';
import { ago } from './cursor.ts';
import type { Desk } from './desk.ts';
import type { DeskList } from './desk-list.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface FloodParkerOptions {
  readonly store: Pick<LaneStore, 'parkEndpoints' | 'promoteAll'>;
  readonly list: DeskList;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Requests that may be under way at once. */
  readonly maxInFlight: number;
  readonly onFailure: (what: string, error: unknown) => void;
}

interface Flood {
  /** In ms of `performance.now()`: since when it lasts, and when something of it was met last. */
  readonly since: number;
  foundAt: number;
}

/** What a statement that parked came to. */
interface FloodLook {
  /** Whether it had room for more than there was. */
  readonly isWhole: boolean;
  /** Lanes of which it has seen everything, from the start to the end. */
  readonly searched: ReadonlySet<number>;
}

/** From so many rows of one endpoint that are returned to the table at once, as a share of the requests that may be under way, its rows are parked unread. */
const FLOOD_SHARE = 1 / 16;
/** Endpoints that may be passed over by the fetch at once, rows of them that a statement parks, and how often. */
const MAX_FLOODED = 64;
const FLOOD_SIZE = 500;
const FLOOD_MS = 50;
/** How many times as long as a statement took that found less than it might the next one is not made: where dead rows cannot be cleaned up it steps over all of them. */
const PAUSE_FACTOR = 4;
/** How late a commit may be, in ms: what is due as long before a flood is looked for with it. */
const LATE_MS = 1_000;
/**
 * How long the flood of an ordered endpoint is looked for, in ms, before what is next of its keys is brought up and read: beside a long backlog of others, or with one of its own, the look
 * takes minutes, in which what stands there unparked is passed over. And how many times as long as bringing up took.
 */
const ORDERED_MS = 2_000;
const PROMOTION_FACTOR = 20;
/** How long nothing of a flood is met, in ms, before it is over though parked rows wait: what an endpoint that is closed for hours got is not looked for all that time. */
const QUIET_MS = 10_000;
/**
 * How long after a parking that failed the next one may be, in ms: an answer that was lost says nothing about the next one. And how much longer than it took that of the next one that fails:
 * it may run into the time limit of a statement each time.
 */
const AFTER_FAILURE_MS = 200;
const FAILURE_PAUSE_FACTOR = 10;
/**
 * How long after a look from the start failed none is made from there, in ms. While a transaction stays open that sees old rows, it steps over everything that was delivered since. Floods are
 * over meanwhile when they are looked through from where they were met.
 */
const NOT_FROM_START_MS = 60_000;

/** Parks what comes for endpoints that get far more than they can take: by the thousand and unread, so that others are not behind it. */
export class FloodParker {
  readonly #options: FloodParkerOptions;
  /** When the next parking may be, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  /** Until when none may be because one failed, and nothing is passed over: it would stand still. */
  #failedUntil = Number.NEGATIVE_INFINITY;
  /** Until when none begins at the start. */
  #notFromStartUntil = Number.NEGATIVE_INFINITY;
  #parking: Promise<void> | null = null;
  /** Those that are flooded, and some that were: asked for at each tick, and there may be very many others. */
  readonly #noted = new Map<Desk, Flood>();
  /** How long bringing up what is next took last. */
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
      // What others have before that is not stepped over first; but what became visible late, and is passed over by the fetch from now on, must be found.
      lanes.get(desk.lane)?.flood.goFrom(ago(ours[0]!.dueAtMs, LATE_MS));
    }
  }

  /** Those that the fetch is to pass over. */
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

  /** Beside the rounds: a statement that changes very many rows takes long, and what others are to be sent does not wait for it. */
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

  /** Told at once, and no round ends for it. */
  #failed(startedAt: number, error: unknown): void {
    const now = performance.now();
    this.#failedUntil =
      now + Math.max(AFTER_FAILURE_MS, this.#hasFailed ? FAILURE_PAUSE_FACTOR * (now - startedAt) : 0);
    this.#nextAt = this.#failedUntil;
    this.#hasFailed = true;
    this.#options.onFailure('parking of a flood', error);
  }

  /** What is not parked is read, some rows at a time, and met anew: the fetch has passed over it, and would until a parking goes well. */
  #giveUp(desks: readonly Desk[]): void {
    const numbers = new Set(desks.map(({ lane }) => lane));
    // Also those that were met meanwhile: their lane's sweep is theirs as well.
    for (const desk of this.#noted.keys()) {
      const lane = this.#options.lanes.get(desk.lane);
      if (!numbers.has(desk.lane)) continue;
      // What is next of its keys may be parked, and is brought up when its lane is explored next.
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
      // It may be done all the same.
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

  /** @returns whether a flood is over by what was looked through: what is brought up next in order is none. Before, rows may stand there that the fetch has passed over. */
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

  /** What is left of it is read again, and met again. */
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

  /** What the rows stood behind may have gone while they were set behind. */
  async #promote(ordered: readonly Desk[]): Promise<void> {
    if (ordered.length === 0) return;
    const { store, lanes } = this.#options;
    const startedAt = performance.now();
    const promoted = await store.promoteAll(ordered.map(({ num }) => num));
    this.#promotingMs = performance.now() - startedAt;
    if (promoted > 0) for (const { lane } of ordered) lanes.get(lane)?.wake();
  }
}
