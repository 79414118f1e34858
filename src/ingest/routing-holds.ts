import type { HoldRouting } from './routing-queue.ts';

interface Held {
  readonly tenants: ReadonlySet<number>;
  readonly run: () => Promise<void>;
}

/**
 * Holds the routing, and with it the event types, of tenants that change without a pause. Work that is to be done under a hold is gathered in rounds, one
 * at a time: each takes one session of Postgres, however many requests there are, and changes come between two of them.
 */
export class RoutingHolds {
  readonly #hold: HoldRouting;
  readonly #bucketOf: (tenantNum: number) => number;
  #waiting: Held[] = [];
  /** What the round that is under way holds, or is about to. */
  #round: ReadonlySet<number> | null = null;

  /** @param bucketOf tenants of one bucket are held together */
  constructor(hold: HoldRouting, bucketOf: (tenantNum: number) => number) {
    this.#hold = hold;
    this.#bucketOf = bucketOf;
  }

  /**
   * Does `work` while the routing of these tenants does not change; where it cannot be held, without.
   * @throws what `work` throws
   */
  during<T>(tenants: ReadonlySet<number>, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenants, run: () => work().then(resolve, reject) });
      if (this.#round === null) void this.#playRounds();
    });
  }

  /** For a commit, which the round that is under way may be waiting for: what that holds is not waited for. */
  readonly beside: HoldRouting = (tenants) => {
    const free = new Set([...tenants].filter((num) => this.#round?.has(this.#bucketOf(num)) !== true));
    return free.size === 0 ? Promise.resolve(() => {}) : this.#hold(free);
  };

  async #playRounds(): Promise<void> {
    while (this.#waiting.length > 0) {
      const members = this.#waiting.splice(0);
      const tenants = new Set(members.flatMap((member) => [...member.tenants]));
      this.#round = new Set([...tenants].map(this.#bucketOf));
      // The work may succeed without: it is no worse off than before.
      const release = await this.#hold(tenants).catch(() => null);
      await Promise.all(members.map(({ run }) => run()));
      release?.();
    }
    this.#round = null;
  }
}
