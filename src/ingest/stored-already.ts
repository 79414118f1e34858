import type { ClaimedBy } from '../store/event-log.ts';
import { fateOf, holdersOf } from './fate.ts';
import type { ItemResult } from './plan-group.ts';
import type { Rejection } from './rejection.ts';
import { claimsOf, type PendingEvent } from './seal-event.ts';

/** Which of these keys are claimed, and by whom. */
export type FindClaims = (keys: readonly string[]) => Promise<ReadonlyMap<string, ClaimedBy>>;

/**
 * Which of the refused events are stored already, and what their producer was told, or would have been. Whoever sends an event again because the answer
 * was lost must not hear that it cannot be taken, only because a schema or a limit came in between: it would be sent under another id, or be believed lost.
 * Asked only when something is refused.
 */
export async function storedAlready<P>(
  rejections: ReadonlyMap<P, Rejection>,
  findClaims: FindClaims,
): Promise<ReadonlyMap<P, ItemResult>> {
  const whole: [P, PendingEvent][] = [];
  for (const [place, { event }] of rejections) if (event !== undefined) whole.push([place, event]);
  const keys = whole.flatMap(([, event]) => claimsOf(event).map(({ key }) => key));
  if (keys.length === 0) return new Map();
  const holders = holdersOf(await findClaims(keys));
  const stored = new Map<P, ItemResult>();
  for (const [place, event] of whole) {
    const fate = fateOf(event, holders);
    if (fate !== null && fate !== 'conflict') stored.set(place, fate);
  }
  return stored;
}
