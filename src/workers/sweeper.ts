import type { LaneOwner } from './lane-owner.ts';

/** Looks after lanes that have due work and no owner, whatever became of their ring: a crash, a lost job, a Redis that is away. */
export class Sweeper {
  readonly #findSleepingLanes: () => Promise<number[]>;
  readonly #owner: LaneOwner;
  #neglectedSince: number | null = null;

  constructor(findSleepingLanes: () => Promise<number[]>, owner: LaneOwner) {
    this.#findSleepingLanes = findSleepingLanes;
    this.#owner = owner;
  }

  async runOnce(): Promise<void> {
    const lanes = await this.#findSleepingLanes();
    if (lanes.length === 0) this.#neglectedSince = null;
    else this.#neglectedSince ??= performance.now();
    for (const lane of lanes) void this.#owner.hold(lane);
  }

  /** How long there have been due lanes without an owner at every look. */
  get neglectedMs(): number {
    return this.#neglectedSince === null ? 0 : performance.now() - this.#neglectedSince;
  }
}
