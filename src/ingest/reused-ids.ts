import { parseEventId } from '../domain/ids.ts';
import type { MadeId } from '../store/made-ids.ts';
import type { PendingEvent } from './seal-event.ts';

/**
 * Finds the events that carry an id that Posthorn gave to another event of their tenant (ADR 7). There is no claim for such an id: a row for
 * it would be a cost for every event, and nobody knows the id before its event is stored. So the events themselves are looked up, only if
 * a producer's id looks like one of ours.
 */
export async function reusedIds(
  events: readonly PendingEvent[],
  findGeneratedIds: (ids: readonly MadeId[]) => Promise<ReadonlySet<number>>,
): Promise<ReadonlySet<PendingEvent>> {
  const suspects = events.flatMap((event) => {
    const uuid = event.externalId === null ? null : parseEventId(event.externalId);
    return uuid === null ? [] : [{ event, tenantNum: event.tenant.num, uuid }];
  });
  if (suspects.length === 0) return NONE;
  const made = await findGeneratedIds(suspects);
  return new Set(suspects.flatMap(({ event }, at) => (made.has(at) ? [event] : [])));
}

const NONE: ReadonlySet<PendingEvent> = new Set();
