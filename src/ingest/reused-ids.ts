import { parseEventId } from '../domain/ids.ts';
import type { MadeId } from '../store/made-ids.ts';
import type { PendingEvent } from './seal-event.ts';

/**
 * Which of the events carry an id that Posthorn gave to another event of their tenant (ADR 7), by index. Ids that it made are claimed by nobody: a row for each would cost every
 * event, and nobody knows one before its event is kept. So it is looked for, only where a producer's id looks like one.
 */
export async function reusedIds(
  events: readonly PendingEvent[],
  findMade: (ids: readonly MadeId[]) => Promise<ReadonlySet<number>>,
): Promise<readonly number[]> {
  const ids: MadeId[] = [];
  const indexes: number[] = [];
  for (const [index, { externalId, tenant }] of events.entries()) {
    const uuid = externalId === null ? null : parseEventId(externalId);
    if (uuid === null) continue;
    ids.push({ tenantNum: tenant.num, uuid });
    indexes.push(index);
  }
  if (ids.length === 0) return [];
  const made = await findMade(ids);
  return indexes.filter((_, at) => made.has(at));
}
