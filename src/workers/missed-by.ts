import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseExactly } from '../routing/exact-number.ts';
import { TooCostlyToMatch } from '../routing/match-steps.ts';
import { type RoutedEvent, TenantIndex } from '../routing/tenant-index.ts';
import type { Queryable } from '../store/in-transaction.ts';
import { type HeldReplay, type ReplayedEvent, replayedBodies, replayedSubscriptions } from '../store/replay-chunk.ts';

/** Bodies may be large, and a chunk has hundreds of events. */
const BODIES_AT_ONCE = 25;
/** Longest that events are matched at a stretch, the last one to its end: others wait for the event loop. */
const SLICE_MS = 10;

/** Events that the replay's one endpoint would get today: if it never had them (disabled then, or made later), it gets them now. */
export async function missedBy(
  client: Queryable,
  { plan, tenantNum }: HeldReplay,
  events: readonly ReplayedEvent[],
): Promise<readonly string[]> {
  if (plan.endpointNum === null || plan.status !== null) return [];
  const subscriptions = await replayedSubscriptions(client, tenantNum, plan.endpointNum);
  if (subscriptions === null) return [];
  const index = new TenantIndex();
  index.set({ num: plan.endpointNum, subscriptions });
  const missed: string[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  for (let at = 0; at < events.length; at += BODIES_AT_ONCE) {
    const some = events.slice(at, at + BODIES_AT_ONCE);
    const uuids = some.map(({ uuid }) => uuid);
    const bodies = index.readsContent ? await replayedBodies(client, tenantNum, uuids) : new Map<string, Buffer>();
    const content = (uuid: string) => parseExactly(bodies.get(uuid)?.toString() ?? 'null');
    for (const { uuid, type } of some) {
      if (wouldGet(index, { type, content: () => content(uuid) })) missed.push(uuid);
      if (performance.now() >= sliceEnd) {
        await nextTurn();
        sliceEnd = performance.now() + SLICE_MS;
      }
    }
  }
  return missed;
}

/** Not an event that takes too long to be matched: today it would be refused. */
function wouldGet(index: TenantIndex, event: RoutedEvent): boolean {
  try {
    return index.match(event).length > 0;
  } catch (error) {
    if (error instanceof TooCostlyToMatch) return false;
    throw error;
  }
}
