import type { TenantRef } from '../domain/caller.ts';
import type { Fault } from '../domain/errors.ts';
import type { CheckBudget } from '../event-types/check-budget.ts';
import type { TypeRules, Verdict } from '../event-types/type-rules.ts';
import type { ReadEvent } from './read-event.ts';
import type { RoutingHolds } from './routing-holds.ts';

export interface CheckTypes {
  readonly rules: Pick<TypeRules, 'begin' | 'check' | 'forget' | 'isCurrent'>;
  /** Called with events that are accepted although they do not fit the schema of their type. */
  readonly onMisfit: (event: Misfit) => void;
  /** See `RoutingHolds`. */
  readonly duringHold: RoutingHolds['during'];
}

export interface Misfit {
  readonly tenantId: string;
  readonly type: string;
  readonly version: string;
  readonly faults: readonly Fault[];
}

/** The result of checking an event by the event types of its tenant. */
export interface TypeCheck {
  readonly rulesVersion: bigint;
  /** Why it is refused; empty: it is not. */
  readonly faults: readonly Fault[];
  /** How it does not fit a schema that is not enforced; null: there is nothing to tell. */
  readonly misfit: Misfit | null;
}

/**
 * Checks an event by what this process knows of its tenant's event types. That may be stale: the commit finds out if the event is accepted,
 * and `areCurrent` if it is refused. @returns a promise only if nothing is known yet, or the type has a schema
 */
export function checkType(
  { input, value }: ReadEvent,
  tenant: TenantRef,
  { rules }: CheckTypes,
  budget: CheckBudget,
): TypeCheck | Promise<TypeCheck> {
  const { type, version = '1.0' } = input;
  const verdict = rules.check({ tenantNum: tenant.num, type, version, data: value.data }, budget);
  if (verdict instanceof Promise) return verdict.then((found) => checkOf(found, tenant, type, version));
  return checkOf(verdict, tenant, type, version);
}

function checkOf({ mode, faults, rulesVersion }: Verdict, tenant: TenantRef, type: string, version: string): TypeCheck {
  if (mode === 'enforce') return { faults, rulesVersion, misfit: null };
  const misfit = faults.length === 0 ? null : { tenantId: tenant.id, type, version, faults };
  return { faults: [], rulesVersion, misfit };
}

/**
 * Asks whether the event types that events of a refused request were checked by still hold. Nothing else would find out, because what is
 * refused is not committed.
 * @param checkedBy by tenant, the version of its event types that an event of it was checked by
 */
export async function areCurrent(
  checkedBy: ReadonlyMap<number, bigint>,
  { rules }: Pick<CheckTypes, 'rules'>,
): Promise<boolean> {
  const checks = [...checkedBy].map(([tenantNum, version]) => rules.isCurrent(tenantNum, version));
  return (await Promise.all(checks)).every((isCurrent) => isCurrent);
}
