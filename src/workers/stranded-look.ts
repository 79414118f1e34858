import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface StrandedLookOptions {
  readonly store: Pick<LaneStore, 'promoteAll'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** A look is over, and one for this lane was asked for meanwhile: its parked endpoints are to be looked for again. */
  readonly onOver: (lane: number) => void;
}

/** How often rows are looked for that stand behind nothing any more although nobody promoted them. */
const STRANDED_MS = 60_000;

/**
 * Looks now and then for rows that are parked behind a predecessor that has gone, because a process died before it promoted them. Such rows
 * are rare, and the look costs a probe for each key that has rows behind. It runs beside the rounds: with very many such keys it takes long,
 * and the deliveries of others do not wait for it.
 */
export class StrandedLook {
  readonly #options: StrandedLookOptions;
  #isUnderWay = false;
  #failure: unknown = null;
  /** Lanes that were to be looked through while a look was under way: theirs is next. */
  readonly #next = new Set<number>();

  constructor(options: StrandedLookOptions) {
    this.#options = options;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Once, so that it is told: the look comes again when the lanes are explored again. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /**
   * @param parked endpoints that have parked rows
   * @param explored lanes of which these are all: they are looked through where it is time
   */
  start(parked: readonly { lane: number; endpointNum: number }[], explored: readonly number[]): void {
    const due = explored.flatMap((number) => this.#options.lanes.get(number) ?? []).filter(isDue);
    if (this.#isUnderWay) {
      for (const { number } of due) this.#next.add(number);
      return;
    }
    const startedAt = performance.now();
    for (const lane of due) lane.strandedAt = startedAt;
    const numbers = new Set(due.map(({ number }) => number));
    const nums = parked.filter(({ lane }) => numbers.has(lane)).map(({ endpointNum }) => endpointNum);
    if (nums.length > 0) void this.#look(nums, due, startedAt);
  }

  async #look(endpointNums: readonly number[], lanes: readonly Lane[], startedAt: number): Promise<void> {
    this.#isUnderWay = true;
    let endedAt = Number.NEGATIVE_INFINITY;
    try {
      const promoted = await this.#options.store.promoteAll(endpointNums);
      endedAt = performance.now();
      if (promoted > 0) for (const lane of lanes) lane.wake();
    } catch (error) {
      this.#failure = error;
    } finally {
      // Another may have been asked for meanwhile, because of what this one may have missed.
      for (const lane of lanes) if (lane.strandedAt === startedAt) lane.strandedAt = endedAt;
      this.#isUnderWay = false;
      for (const number of this.#next) if (this.#options.lanes.has(number)) this.#options.onOver(number);
      this.#next.clear();
    }
  }
}

function isDue(lane: Lane): boolean {
  return performance.now() - lane.strandedAt >= STRANDED_MS;
}
