import type { DueDelivery } from '../store/mailbox.ts';
import type { ParkedRows } from '../store/park.ts';
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
}

/** Rows of one endpoint that are set aside at once, as a share of the requests under way, above which no more of them are read. */
const FLOOD_SHARE = 1 / 16;
/** Endpoints that may be passed over by the fetch at once, rows of them that a statement parks, and how often. */
const MAX_FLOODED = 64;
const FLOOD_SIZE = 500;
const FLOOD_MS = 50;

/** Parks what comes for endpoints that get far more than they can take: by the thousand and unread, so that others are not behind it. */
export class FloodParker {
  readonly #options: FloodParkerOptions;
  #restedAt = Number.NEGATIVE_INFINITY;
  #parking: Promise<void> | null = null;
  #failure: unknown = null;

  constructor(options: FloodParkerOptions) {
    this.#options = options;
  }

  /** Of rows that were set aside together: an endpoint that many of them are for gets more than it can take. */
  note(rows: readonly DueDelivery[]): void {
    const { list, maxInFlight } = this.#options;
    const many = Math.max(1, maxInFlight * FLOOD_SHARE);
    if (rows.length < many) return;
    for (const [num, ours] of Map.groupBy(rows, (row) => row.endpointNum)) {
      const desk = list.get(num);
      if (desk !== undefined && ours.length >= many) desk.flood = ours[0]!.order === null ? 'plain' : 'ordered';
    }
  }

  /** Those that the fetch is to pass over. */
  flooded(): Desk[] {
    const flooded: Desk[] = [];
    for (const desk of this.#options.list) {
      if (flooded.length >= MAX_FLOODED) break;
      if (desk.flood !== null && this.#options.lanes.get(desk.lane)?.isDraining === false) flooded.push(desk);
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

  /** @throws why the last parking failed, once */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /** Beside the rounds: a statement that changes very many rows takes long, and what others are to be sent does not wait for it. */
  start(): void {
    if (this.#parking !== null || performance.now() - this.#restedAt < FLOOD_MS) return;
    const desks = this.flooded();
    if (desks.length === 0) return;
    this.#parking = this.#park(desks)
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#parking = null;
      });
  }

  async #park(desks: readonly Desk[]): Promise<void> {
    const { store, lanes } = this.#options;
    const leases = [...new Set(desks.map(({ lane }) => lanes.get(lane)!.lease))];
    const nums = desks.map(({ num }) => num);
    for (const desk of desks) desk.wasFlooded = true;
    const parked = await this.#parkRows(desks, () => store.parkEndpoints(leases, nums, FLOOD_SIZE));
    const ordered = desks.filter(({ flood }) => flood === 'ordered');
    if (parked >= FLOOD_SIZE) return;
    this.#restedAt = performance.now();
    await this.#promote(ordered);
    // What is brought up next in order is no flood.
    for (const desk of ordered) desk.flood = null;
  }

  /** @returns how many rows were parked */
  async #parkRows(desks: readonly Desk[], park: () => Promise<readonly ParkedRows[]>): Promise<number> {
    const parked = await park().catch((error: unknown) => {
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
