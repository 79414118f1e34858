import type { HeldLanes } from './held-lanes.ts';
import type { LaneStore } from './lane-store.ts';

export interface LeaseKeeperOptions {
  readonly store: Pick<LaneStore, 'heartbeat'>;
  readonly held: HeldLanes;
  /** How many lanes there are. */
  readonly lanes: number;
  /** How long a lease lasts from the moment that it is asked for. */
  readonly leaseMs: number;
  /** Told how many lanes this process should hold at most, whenever that changes. */
  readonly onShare: (lanes: number) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** How long before its end a lease counts as over. */
const FENCE_MS = 500;

/** Keeps the leases of the lanes that are held, and no more lanes than are this process's share. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** Whether no other worker was seen lately. */
  #isAlone = true;
  /** When the newest answer so far was asked for. */
  #newestAt = 0;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Renews the leases and learns what is still ours, and of how many workers this one is. */
  async beat(): Promise<void> {
    const { store, held: ours, lanes, onFailure } = this.#options;
    const leases = [...ours].map((lane) => lane.lease);
    const askedAt = performance.now();
    try {
      const { held, crashed, workers } = await store.heartbeat(leases);
      for (const lease of leases) {
        const lane = ours.byNumber.get(lease.lane);
        if (lane === undefined || lane.lease !== lease) continue;
        if (!held.has(lease.lane)) {
          ours.lose(lane);
          continue;
        }
        // Another beat that was asked for later may have been answered before.
        lane.renewedAt = Math.max(lane.renewedAt, askedAt);
        if (lane.isCareful && !crashed.has(lease.lane)) ours.trust(lane);
      }
      if (askedAt < this.#newestAt) return;
      this.#newestAt = askedAt;
      this.#isAlone = workers === 1;
      this.#setShare(Math.ceil(lanes / workers));
      this.#drainSurplus();
    } catch (error) {
      onFailure('heartbeat', error);
    }
  }

  /**
   * A lease that must have run out by our own clock is lost: what is under way is hung up on before anybody else can send to the same
   * endpoints. Where no other worker was seen the lane is kept, because slow requests would be repeated for nothing.
   */
  fence(now: number): void {
    if (this.#isAlone) return;
    const { held, leaseMs } = this.#options;
    for (const lane of [...held]) if (now - lane.renewedAt > leaseMs - FENCE_MS) held.lose(lane);
  }

  #setShare(share: number): void {
    const { held, onShare } = this.#options;
    if (share === held.share) return;
    held.share = share;
    onShare(share);
  }

  /** At each beat, and not only when the share changes: lanes that were being taken just then came after. */
  #drainSurplus(): void {
    const { held } = this.#options;
    const kept = [...held].filter((lane) => !lane.isDraining);
    const surplus = kept
      .sort((a, b) => a.rowsInMemory - b.rowsInMemory)
      .slice(0, Math.max(0, kept.length - held.share));
    for (const lane of surplus) held.drain(lane);
  }
}
