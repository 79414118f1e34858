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

/** A unit that was submitted, with the promise that its producer waits for. */
export class PendingUnit {
  readonly unit: Unit;
  readonly bytes: number;
  /** When it was submitted, in ms, by the steady clock of the `GroupCommit`. */
  readonly since: number;
  /** How many of its commits were refused because the routing of its tenants had changed. */
  changes = 0;
  /** The tenant whose events in it take so long to be matched that it waits in the match queue; null: none is known to. */
  costlyTenant: number | null = null;
  /** Whether it has been through the match queue: all of its events that could be matched are. */
  isMatched = false;
  /** Who had its keys already when that was looked up in the match queue; null: it was not looked up. */
  claimed: ReadonlyMap<string, ClaimedBy> | null = null;
  /** Whether its routing was read after it was submitted, so that a refusal by that routing can be believed. */
  isFresh = false;
  /** Whether its producer was told 503 already. Then it is not sent to Postgres any more. */
  isExpired = false;
  /** The group that it is committed with; null while it waits. */
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
