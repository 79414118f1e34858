import type { DueDelivery } from '../store/mailbox.ts';
import type { ParkedFlood } from '../store/park.ts';
import type { Desk } from './desk.ts';
import type { DeskList } from './desk-list.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { ago } from './past-looks.ts';

export interface FloodParkerOptions {
  readonly store: Pick<LaneStore, 'parkEndpoints' | 'promoteAll'>;
  readonly list: DeskList;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Requests that may be under way at once. */
  readonly maxInFlight: number;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** Rows of one endpoint that are set aside at once, as a share of the requests under way, above which no more of them are read. */
const FLOOD_SHARE = 1 / 16;
/** Endpoints that may be passed over by the fetch at once, rows of them that a statement parks, and how often. */
const MAX_FLOODED = 64;
const FLOOD_SIZE = 500;
const FLOOD_MS = 50;
/** How late a commit may be, in ms: what is due as long before a flood is looked for with it. */
const LATE_MS = 1_000;
/**
 * How long after a parking that failed the next one may be, in ms: what is passed over stands still meanwhile, and an answer that was lost says nothing about the next one. And how much
 * longer than it took that of the next one that fails: it may run into the time limit of a statement each time.
 */
const AFTER_FAILURE_MS = 200;
const AFTER_FAILURES = 10;

/** Parks what comes for endpoints that get far more than they can take: by the thousand and unread, so that others are not behind it. */
export class FloodParker {
  readonly #options: FloodParkerOptions;
  /** When the next parking may be, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #parking: Promise<void> | null = null;
  /** Those that are flooded, and some that were: asked for at each tick, and there may be very many others. */
  readonly #noted = new Set<Desk>();

  constructor(options: FloodParkerOptions) {
    this.#options = options;
  }

  /** Of rows that were set aside together: an endpoint that many of them are for gets more than it can take. */
  note(rows: readonly DueDelivery[]): void {
    const { list, lanes, maxInFlight } = this.#options;
    const many = Math.max(1, maxInFlight * FLOOD_SHARE);
    if (rows.length < many) return;
    for (const [num, ours] of Map.groupBy(rows, (row) => row.endpointNum)) {
      const desk = list.get(num);
      if (desk === undefined || ours.length < many) continue;
      desk.flood = ours[0]!.order === null ? 'plain' : 'ordered';
      this.#noted.add(desk);
      // What others have before that is not stepped over first; but what became visible late, and is passed over by the fetch from now on, must be found.
      lanes.get(desk.lane)?.flood.goFrom(ago(ours[0]!.dueAtMs, LATE_MS));
    }
  }

  /** Those that the fetch is to pass over. */
  flooded(): Desk[] {
    const flooded: Desk[] = [];
    for (const desk of this.#noted) {
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
      .catch((error: unknown) => this.#failed(startedAt, error))
      .finally(() => {
        this.#parking = null;
      });
  }

  /** Told at once, and no round ends for it: what is not parked is passed over by the fetch all the same. */
  #failed(startedAt: number, error: unknown): void {
    const now = performance.now();
    this.#nextAt = now + Math.max(AFTER_FAILURE_MS, this.#hasFailed ? AFTER_FAILURES * (now - startedAt) : 0);
    this.#hasFailed = true;
    this.#options.onFailure('parking of a flood', error);
  }

  async #park(desks: readonly Desk[]): Promise<void> {
    const { store, lanes } = this.#options;
    const flooded = [...new Set(desks.map(({ lane }) => lanes.get(lane)!))];
    const nums = desks.map(({ num }) => num);
    for (const desk of desks) desk.wasFlooded = true;
    const parked = await this.#parkRows(desks, async () => {
      const leases = flooded.map(({ lease }) => lease);
      const after = new Map(flooded.map((lane) => [lane.number, lane.flood.next()]));
      const found = await store.parkEndpoints(leases, nums, FLOOD_SIZE, after);
      for (const lane of flooded) lane.flood.took(found.ends.get(lane.number) ?? null);
      return found;
    });
    if (parked >= FLOOD_SIZE) return;
    this.#nextAt = performance.now() + FLOOD_MS;
    await this.#end(desks);
  }

  /**
   * Where a lane was looked through. What is brought up next in order is no flood; another one is over when nothing of it is parked any more either. Before, rows may
   * stand there that the fetch has passed over.
   */
  async #end(desks: readonly Desk[]): Promise<void> {
    const isOver = (desk: Desk) =>
      this.#options.lanes.get(desk.lane)?.flood.isOver !== false && (desk.flood === 'ordered' || !desk.hasParked);
    const over = desks.filter(isOver);
    await this.#promote(over.filter(({ flood }) => flood === 'ordered'));
    // More may have come meanwhile.
    for (const desk of over.filter(isOver)) desk.flood = null;
  }

  /** @returns how many rows were parked */
  async #parkRows(desks: readonly Desk[], park: () => Promise<ParkedFlood>): Promise<number> {
    const { parked } = await park().catch((error: unknown) => {
      // It may be done all the same.
      for (const desk of desks) desk.markParked();
      throw error;
    });
    let count = 0;
    for (const { endpointNum, kind, rows } of parked) {
      this.#options.list.get(endpointNum)?.markParked(kind);
      count += rows;
    }
    return count;
  }

  /** What the rows stood behind may have gone while they were set behind. */
  async #promote(ordered: readonly Desk[]): Promise<void> {
    if (ordered.length === 0) return;
    const { store, lanes } = this.#options;
    const promoted = await store.promoteAll(ordered.map(({ num }) => num));
    if (promoted > 0) for (const { lane } of ordered) lanes.get(lane)?.wake();
  }
}
