import type { DueDelivery } from '../store/mailbox.ts';
import { Crowd } from './crowd.ts';
import { PastRead, type PastReadOptions } from './past-read.ts';

/**
 * The most of a worker's time that each look takes. Among what nobody has looked at somebody may wait who has had nothing; what was passed over is of tenants that had
 * many rows a moment ago.
 */
const SHARES = [
  ['front', 1 / 4],
  ['unseen', 1 / 2],
  ['passedOver', 1 / 20],
] as const;
/** How often lanes are looked through anew, in ms: for what was missed of late, and all of it where a tenant is passed over no more; rarely all of it anyway, for what was committed very late. */
const RESWEEP_MS = 5_000;
const RESWEEP_ALL_MS = 60_000;

/**
 * Where more is due than is read at once: reads rows of those who have few among them. They would wait until all that was due before is read, and sent or parked, be it of one tenant with
 * very many endpoints or of many tenants.
 */
export class PastCrowd {
  readonly #options: PastReadOptions;
  readonly #crowd = new Crowd();
  readonly #reads: readonly PastRead[];
  /** Tenants whose rows some lane passed over since lanes began anew, and when they did, and from the start. */
  #passedOver = new Set<number>();
  #resweptAt = performance.now();
  #allResweptAt = performance.now();

  constructor(options: PastReadOptions) {
    this.#options = options;
    this.#reads = SHARES.map((share) => new PastRead(options, this.#crowd, share));
  }

  /** Once, so that it is told. */
  throwFailure(): void {
    for (const read of this.#reads) read.throwFailure();
  }

  /** Takes note of what a read brought that left more to be read. */
  note(rows: readonly DueDelivery[], now: number): void {
    this.#crowd.note(rows, now);
  }

  /** Whether something is worth looking for: a round is due for it, also where there is no room for what is fetched. */
  isDue(now: number): boolean {
    return this.#reads.some((read) => read.isDue(now)) && this.#hasCause(this.#tenants(now));
  }

  #tenants(now: number): ReadonlySet<number> {
    return new Set([...this.#crowd.tenants(now), ...this.#options.desks.memory.fullTenants()]);
  }

  #hasCause(tenants: ReadonlySet<number>): boolean {
    return tenants.size > 0 || this.#options.floods.flooded().length > 0;
  }

  /** What is worth looking for just now. */
  async run(): Promise<void> {
    const now = performance.now();
    const tenants = this.#tenants(now);
    if (!this.#hasCause(tenants)) return;
    this.#resweep(tenants, now);
    // After one that failed Postgres has had enough for this round.
    for (const read of this.#reads) if (!(await read.run([...tenants]))) return;
  }

  /** What was passed over stands behind where the next look begins. Whose it is may have few now. And a commit may have taken longer than looks go back. */
  #resweep(tenants: ReadonlySet<number>, now: number): void {
    for (const tenant of tenants) this.#passedOver.add(tenant);
    if (now - this.#resweptAt < RESWEEP_MS) return;
    this.#resweptAt = now;
    const isAll = this.#passedOver.size > tenants.size || now - this.#allResweptAt >= RESWEEP_ALL_MS;
    if (isAll) this.#allResweptAt = now;
    this.#passedOver = new Set(tenants);
    const clockMs = this.#options.nowMs();
    for (const { looks } of this.#options.lanes.values())
      isAll ? looks.resweepAll(clockMs) : looks.resweepRecent(clockMs);
  }
}
