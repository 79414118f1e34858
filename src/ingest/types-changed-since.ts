import type { AcceptDependencies } from './accept.ts';
import { areCurrent } from './check-type.ts';
import { rulesOf } from './rejection.ts';
import type { PendingEvent } from './seal-event.ts';
import { TypesChanged } from './until-types-hold.ts';

/**
 * Asks, before a batch is refused, whether the event types that its events were checked by have changed since: by what holds now more of
 * them may be at fault, and the producer is to hear of all faults at once. Where that cannot be told now, the known faults are told.
 * @returns null: they have not
 */
export async function typesChangedSince(
  pending: readonly PendingEvent[],
  { types, withinDeadline }: Pick<AcceptDependencies, 'types' | 'withinDeadline'>,
): Promise<TypesChanged | null> {
  const checkedBy = rulesOf(pending.map(rulesOfChecked));
  const areKept = await withinDeadline(areCurrent(checkedBy, types)).catch(() => true);
  return areKept ? null : new TypesChanged(checkedBy.keys());
}

/** The event types that an event fits, in the manner of `Rejection`. */
export function rulesOfChecked({ tenant, rulesVersion }: PendingEvent): { rules?: readonly [number, bigint] } {
  return rulesVersion === undefined ? {} : { rules: [tenant.num, rulesVersion] };
}
