import type { AcceptDependencies } from './accept.ts';
import { fateOf, holdersOf } from './fate.ts';
import { CONFLICT, REUSED_ID, type Rejection } from './rejection.ts';
import { reusedIds } from './reused-ids.ts';
import type { PendingEvent } from './seal-event.ts';

/**
 * Finds the events of a batch that conflict with what is stored, or with an event before them. The batch is refused anyway: its producer is
 * to hear of all faults at once.
 * @returns by their indexes in `pending`
 */
export async function conflictsIn(
  pending: readonly PendingEvent[],
  { findConflicts, findGeneratedIds }: Pick<AcceptDependencies, 'findConflicts' | 'findGeneratedIds'>,
): Promise<ReadonlyMap<number, Rejection>> {
  const asked = pending.flatMap(({ keys, tenant }) => keys.map((key) => ({ key, tenantNum: tenant.num })));
  if (asked.length === 0) return new Map();
  const [claimed, reused] = await Promise.all([findConflicts(asked), reusedIds(pending, findGeneratedIds)]);
  const holders = holdersOf(claimed);
  const conflicts = new Map<number, Rejection>();
  for (const [at, event] of pending.entries()) {
    const fate = fateOf(event, holders);
    if (reused.has(event)) conflicts.set(at, REUSED_ID);
    else if (fate === 'conflict') conflicts.set(at, CONFLICT);
    else if (fate === null) {
      const result = { id: event.publicId, status: 'accepted', deliveries: 0 } as const;
      for (const key of event.keys) holders.set(key, { bodyHash: event.bodyHash, eventUuid: event.uuid, result });
    }
  }
  return conflicts;
}
