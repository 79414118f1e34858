import type { TenantRef } from '../domain/caller.ts';
import type { Fault } from '../domain/errors.ts';
import type { CheckBudget } from '../event-types/check-budget.ts';
import type { TypeRules, Verdict } from '../event-types/type-rules.ts';
import type { ReadEvent } from './read-event.ts';
import type { RoutingHolds } from './routing-holds.ts';

export interface CheckTypes {
  readonly rules: Pick<TypeRules, 'begin' | 'check' | 'forget' | 'isCurrent'>;
  /** Told of events that are taken although they are not what their type's schema says. */
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

/** What the event types of a tenant say of an event. */
export interface TypeCheck {
  readonly rulesVersion: bigint;
  /** What refuses it. */
  readonly faults: readonly Fault[];
  /** What is only told. */
  readonly misfit: Misfit | null;
}

/**
 * By what is known here of the tenant's event types, which may be stale: the commit finds out, or `areCurrent`. A promise where nothing is
 * known yet, or the type has a schema.
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

/** Whether events were refused by rules that still hold: nothing else would find out, because what is refused is not committed. */
export async function areCurrent(
  refusedBy: ReadonlyMap<number, bigint>,
  { rules }: Pick<CheckTypes, 'rules'>,
): Promise<boolean> {
  const checks = [...refusedBy].map(([tenantNum, version]) => rules.isCurrent(tenantNum, version));
  return (await Promise.all(checks)).every((isCurrent) => isCurrent);
}
