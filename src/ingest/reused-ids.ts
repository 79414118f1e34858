import { parseEventId } from '../domain/ids.ts';
import type { MadeId } from '../store/made-ids.ts';
import type { PendingEvent } from './seal-event.ts';

/**
 * Which of the events carry an id that Posthorn gave to another event of their tenant (ADR 7). Ids that it made are claimed by nobody: a row for each would cost every
 * event, and nobody knows one before its event is kept. So it is looked for, only where a producer's id looks like one.
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
