import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { onRefillAdmitted, ParkedBacklog, returnUnusedTurn } from './parked-backlog.ts';
import type { RowLoader } from './row-loader.ts';

export interface ParkedReaderOptions {
  readonly store: Pick<LaneStore, 'fetchParked'>;
  readonly desks: Pick<Desks, 'list' | 'memory' | 'inMemory' | 'crowding' | 'scheduler' | 'read'>;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  readonly loader: Pick<RowLoader, 'admit'>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** The least time between two reads of parked backlogs while slots are short, in ms: requests take far longer then. */
const CROWDED_REFILL_MS = 25;

/** Reads parked backlogs of endpoints that take more again, as far as there is room: see `ParkedBacklog` for whose turn it is. */
export class ParkedReader {
  readonly #options: ParkedReaderOptions;
  readonly #backlog = new ParkedBacklog();
  #isOwed = false;
  /** When parked backlogs were last read, in ms of `performance.now()`, and how many requests had ended by then. */
  #readAt = Number.NEGATIVE_INFINITY;
  #finishedBefore = 0;

  constructor(options: ParkedReaderOptions) {
    this.#options = options;
  }

  /**
   * Whether parked backlogs found no room after the last fetch. Then they are read before the next fetch, or live traffic might starve
   * them.
   */
  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** In crowded mode: whether requests have ended since parked backlogs were last read, whose slots these may take. */
  isDue(now: number): boolean {
    const { crowding, scheduler } = this.#options.desks;
    return crowding.isOn && scheduler.finished !== this.#finishedBefore && now - this.#readAt >= CROWDED_REFILL_MS;
  }

  async read(): Promise<void> {
    const { store, desks, lanes, loader } = this.#options;
    const { list, memory, inMemory, crowding, scheduler } = desks;
    const now = performance.now();
    if (crowding.isOn && now - this.#readAt < CROWDED_REFILL_MS) return;
    this.#readAt = now;
    this.#finishedBefore = scheduler.finished;
    const isServed = ({ lane, tenantNum }: Desk) =>
      lanes.get(lane)?.isDraining === false && memory.tenantMayHaveMore(tenantNum);
    const nowMs = this.#options.nowMs();
    // Check for room before refillsOf() deals turns: a desk whose turn is spent without a read waits for all others again.
    if (!memory.hasRowsFree) {
      this.#isOwed = this.#backlog.isWanted(list, { isServed, nowMs });
      return;
    }
    const { refills, isAll } = this.#backlog.refillsOf(list, { isServed, places: crowding.places(), scheduler, nowMs });
    this.#isOwed = !isAll;
    if (refills.length === 0) return;
    const fetches = refills.map(({ fetch }) => fetch);
    const known = inMemory.ofEndpoints(new Set(fetches.map(({ endpointNum }) => endpointNum)));
    const { rows, fresh } = await desks.read(async () => ({ rows: await store.fetchParked(fetches, known) }));
    const isAdmitted = await loader.admit(fresh, performance.now());
    for (const refill of refills) returnUnusedTurn(refill);
    // Only now: the cursor must not pass rows that did not come into memory.
    if (isAdmitted) for (const refill of refills) onRefillAdmitted(refill, rows);
  }
}
