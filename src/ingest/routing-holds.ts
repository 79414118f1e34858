import type { HoldRouting } from './routing-queue.ts';

interface LockedWork {
  readonly tenants: ReadonlySet<number>;
  readonly run: () => Promise<void>;
}

/**
 * Locks the routing of tenants that change it without a pause, and with it their event types. Work to be done under a lock is gathered in
 * rounds, one at a time. A round takes one session of Postgres, however many requests are in it, and changes come between two rounds.
 */
export class RoutingHolds {
  readonly #hold: HoldRouting;
  readonly #bucketOf: (tenantNum: number) => number;
  #waiting: LockedWork[] = [];
  /** The buckets that the round under way has locked, or is about to. */
  #round: ReadonlySet<number> | null = null;

  /** @param bucketOf the bucket of a tenant: all tenants of a bucket share one lock */
  constructor(hold: HoldRouting, bucketOf: (tenantNum: number) => number) {
    this.#hold = hold;
    this.#bucketOf = bucketOf;
  }

  /**
   * Does `work` while the routing of these tenants is locked. If it cannot be locked, `work` is done without.
   * @throws what `work` throws
   */
  during<T>(tenants: ReadonlySet<number>, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenants, run: () => work().then(resolve, reject) });
      if (this.#round === null) void this.#playRounds();
    });
  }

  /** For a commit: locks the routing of these tenants, but for what the round under way has locked. That round may be waiting for this very commit. */
  readonly beside: HoldRouting = (tenants) => {
    const free = new Set([...tenants].filter((num) => this.#round?.has(this.#bucketOf(num)) !== true));
    return free.size === 0 ? Promise.resolve(() => {}) : this.#hold(free);
  };

  async #playRounds(): Promise<void> {
    while (this.#waiting.length > 0) {
      const members = this.#waiting.splice(0);
      const tenants = new Set(members.flatMap((member) => [...member.tenants]));
      this.#round = new Set([...tenants].map(this.#bucketOf));
      // Without the lock the work may still succeed, as any other try.
      const release = await this.#hold(tenants).catch(() => null);
      await Promise.all(members.map(({ run }) => run()));
      release?.();
    }
    this.#round = null;
  }
}
