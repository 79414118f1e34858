import type { SleepingLane } from '../store/lanes.ts';
import type { LaneOwner } from './lane-owner.ts';

/** Looks after lanes that have due work and no owner, whatever became of their ring: a crash, a lost job, a Redis that is away. */
export class Sweeper {
  readonly #findSleepingLanes: () => Promise<SleepingLane[]>;
  readonly #owner: LaneOwner;
  readonly #onFound: (lanes: number) => void;
  /** Lanes found asleep, with the epoch that they were first found in and when. */
  #neglected = new Map<number, { epoch: number; since: number }>();

  constructor(
    findSleepingLanes: () => Promise<SleepingLane[]>,
    owner: LaneOwner,
    onFound: (lanes: number) => void = () => {},
  ) {
    this.#findSleepingLanes = findSleepingLanes;
    this.#owner = owner;
    this.#onFound = onFound;
  }

  async runOnce(): Promise<void> {
    const found = await this.#findSleepingLanes();
    const now = performance.now();
    this.#neglected = new Map(
      found.map(({ lane, epoch }) => {
        const known = this.#neglected.get(lane);
        // Another epoch: somebody had the lane since the last look, and it fell asleep again.
        return [lane, known?.epoch === epoch ? known : { epoch, since: now }];
      }),
    );
    if (found.length > 0) this.#onFound(found.length);
    for (const { lane } of found) void this.#owner.hold(lane);
  }

  /** How long the lane that has waited longest has had due work and nobody took it. */
  get neglectedMs(): number {
    const oldest = Math.min(...[...this.#neglected.values()].map(({ since }) => since));
    return Number.isFinite(oldest) ? performance.now() - oldest : 0;
  }
}
