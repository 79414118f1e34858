import { Refusal } from '../domain/errors.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { Unit, UnitResult } from './plan-group.ts';

export const unavailable = () =>
  new Refusal(
    503,
    'storage_unavailable',
    'The event could not be stored in time. Nothing was acknowledged: send it again with the same idempotency key.',
    {
      retryAfterSeconds: 1,
    },
  );

/** A unit that was submitted, and those who wait to hear what became of it. */
export class PendingUnit {
  readonly unit: Unit;
  readonly bytes: number;
  /** When it was submitted, by the clock of those who commit it. */
  readonly since: number;
  /** Commits that were refused because the routing of its tenants had changed. */
  changes = 0;
  /** Whose events in it take so long to be matched that it waits for that; null as long as none are known to. */
  costlyTenant: number | null = null;
  /** Whether it waited for that, and all that could be was matched. */
  isMatched = false;
  /** Those that have keys of it, as they were when it waited for that. */
  claimed: ReadonlyMap<string, ClaimedBy> | null = null;
  /** Whether the routing was read anew for it, lest a stale one refuse it. */
  isFresh = false;
  /** Whether they were told 503 already: what was not sent to Postgres by then never is. */
  isExpired = false;
  /** Those that it is committed with; null while it waits. */
  group: readonly PendingUnit[] | null = null;
  readonly #resolve: (result: UnitResult) => void;
  readonly #reject: (refusal: Refusal) => void;

  constructor(
    { unit, bytes, since }: Pick<PendingUnit, 'unit' | 'bytes' | 'since'>,
    resolve: (result: UnitResult) => void,
    reject: (refusal: Refusal) => void,
  ) {
    this.unit = unit;
    this.bytes = bytes;
    this.since = since;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  settle(result: UnitResult): void {
    this.#resolve(result);
  }

  fail(error: unknown): void {
    this.#reject(error instanceof Refusal ? error : unavailable());
  }

  expire(): void {
    this.isExpired = true;
    this.#reject(unavailable());
  }

  touches(tenants: ReadonlySet<number>): boolean {
    for (const { tenant } of this.unit) if (tenants.has(tenant.num)) return true;
    return false;
  }

  isWithin(tenants: ReadonlySet<number>): boolean {
    return this.unit.every(({ tenant }) => tenants.has(tenant.num));
  }
}

export function bytesOf(unit: Unit): number {
  let bytes = 0;
  for (const { body } of unit) bytes += body.length;
  return bytes;
}

export function tenantsOf(pending: readonly PendingUnit[]): Set<number> {
  const nums = new Set<number>();
  for (const { unit } of pending) for (const { tenant } of unit) nums.add(tenant.num);
  return nums;
}
