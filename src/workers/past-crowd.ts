import type { DueDelivery } from '../store/mailbox.ts';
import { Crowd } from './crowd.ts';
import { PastRead, type PastReadOptions } from './past-read.ts';

/**
 * The most of a worker's time that each look takes. Rows that nobody has looked at may be of a tenant that has had nothing yet; rows that
 * were passed over are of tenants that had many a moment ago.
 */
const SHARES = [
  ['front', 1 / 4],
  ['unseen', 1 / 2],
  ['passedOver', 1 / 20],
] as const;
/** How often lanes are swept again, in ms. What became due of late each time; all of it if a tenant is passed over no more. */
const RESWEEP_MS = 5_000;
/** How often all of it is swept again in any case, in ms, for what was committed very late. */
const RESWEEP_ALL_MS = 60_000;

/**
 * Where more is due than is read at once: reads the rows of tenants that have few. They would wait until everything that was due before is
 * read, and sent or parked, whether it is of one tenant with very many endpoints or of many tenants.
 */
export class PastCrowd {
  readonly #options: PastReadOptions;
  readonly #crowd = new Crowd();
  readonly #reads: readonly PastRead[];
  /** Tenants whose rows were passed over since the last resweep. */
  #passedOver = new Set<number>();
  #resweptAt = performance.now();
  #allResweptAt = performance.now();

  constructor(options: PastReadOptions) {
    this.#options = options;
    this.#reads = SHARES.map((share) => new PastRead(options, this.#crowd, share));
  }

  /** Throws the failure of the last reads once, so that it is reported. */
  throwFailure(): void {
    for (const read of this.#reads) read.throwFailure();
  }

  /** Takes note of the rows of a read that left more to be read. */
  note(rows: readonly DueDelivery[], now: number): void {
    this.#crowd.note(rows, now);
  }

  /** Whether a round is due to look past the crowd, also if there is no room for an ordinary fetch. */
  isDue(now: number): boolean {
    return this.#reads.some((read) => read.isDue(now)) && this.#hasCause(this.#tenants(now));
  }

  #tenants(now: number): ReadonlySet<number> {
    return new Set([...this.#crowd.tenants(now), ...this.#options.desks.memory.fullTenants()]);
  }

  #hasCause(tenants: ReadonlySet<number>): boolean {
    return tenants.size > 0 || this.#options.floods.flooded().length > 0;
  }

  /** Makes the looks that are due. */
  async run(): Promise<void> {
    const now = performance.now();
    const tenants = this.#tenants(now);
    if (!this.#hasCause(tenants)) return;
    this.#resweep(tenants, now);
    // After a read that failed, Postgres is asked nothing more in this round.
    for (const read of this.#reads) if (!(await read.run([...tenants]))) return;
  }

  /**
   * Every 5 s sweeps again what earlier reads skipped: a tenant that was skipped may have few rows by now, and a commit may have been later
   * than the overlap.
   */
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
