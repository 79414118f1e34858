import { Refusal } from '../domain/errors.ts';

export interface TurnstileBounds {
  /** Pieces of work under way at once, each of which takes a connection. */
  readonly most: number;
  /** The same for one tenant. */
  readonly mostOfTenant: number;
  /** Pieces of one tenant that may wait, beside those under way. */
  readonly mostWaiting: number;
}

interface Tenant {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Lets the tenants take turns with work that keeps a connection for long: scans of lists, and what waits for a lock of its tenant. The
 * work of one tenant never has all connections of the API (G4).
 */
export class TenantTurnstile {
  readonly #bounds: TurnstileBounds;
  /** By tenant, those that have work under way or waiting. The first is the next to get a turn. */
  readonly #tenants = new Map<number, Tenant>();
  #running = 0;

  constructor(bounds: TurnstileBounds) {
    this.#bounds = bounds;
  }

  /**
   * Does `work` when it is the tenant's turn.
   * @param isBegun whether it goes on with work that had a turn before. It is never turned away, so that a few more may wait than
   * `mostWaiting`: at most as many as may be under way
   * @throws Refusal 429 where too many of the tenant wait already, and what `work` throws
   */
  async take<T>(tenantNum: number, work: () => Promise<T>, { isBegun = false } = {}): Promise<T> {
    const tenant = this.#tenantOf(tenantNum);
    if (this.#mayRun(tenant)) this.#begin(tenantNum, tenant);
    else {
      if (!isBegun && tenant.waiting.length >= this.#bounds.mostWaiting) throw tooMany();
      await new Promise<void>((resolve) => tenant.waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      this.#end(tenantNum, tenant);
    }
  }

  #tenantOf(tenantNum: number): Tenant {
    const known = this.#tenants.get(tenantNum);
    if (known !== undefined) return known;
    const tenant = { running: 0, waiting: [] };
    this.#tenants.set(tenantNum, tenant);
    return tenant;
  }

  #mayRun({ running }: Tenant): boolean {
    return this.#running < this.#bounds.most && running < this.#bounds.mostOfTenant;
  }

  #begin(tenantNum: number, tenant: Tenant): void {
    this.#running++;
    tenant.running++;
    // To the end: all others come before it again.
    this.#tenants.delete(tenantNum);
    this.#tenants.set(tenantNum, tenant);
  }

  #end(tenantNum: number, tenant: Tenant): void {
    this.#running--;
    tenant.running--;
    if (tenant.running === 0 && tenant.waiting.length === 0) this.#tenants.delete(tenantNum);
    for (const [num, next] of this.#tenants) {
      if (next.waiting.length === 0 || !this.#mayRun(next)) continue;
      this.#begin(num, next);
      next.waiting.shift()!();
      return;
    }
  }
}

const tooMany = () =>
  new Refusal(
    429,
    'too_many_scans',
    'Too many searches of the tenant, or changes that go one after the other, are under way or wait. Ask again later.',
    {
      retryAfterSeconds: 1,
    },
  );
