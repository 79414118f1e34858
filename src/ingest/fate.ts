import { eventIdOf } from '../domain/ids.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { ItemResult } from './plan-group.ts';
import type { Claimant } from './seal-event.ts';

/** Who has a key. */
export interface Holder {
  readonly bodyHash: string;
  readonly eventUuid: string;
  readonly result: ItemResult;
}

/** By key, the stored events that have claimed it. */
export function holdersOf(claimed: ReadonlyMap<string, ClaimedBy>): Map<string, Holder> {
  const holders = new Map<string, Holder>();
  for (const [key, by] of claimed) {
    const id = by.externalId ?? eventIdOf(by.eventUuid);
    holders.set(key, {
      bodyHash: by.bodyHash,
      eventUuid: by.eventUuid,
      result: { id, status: 'duplicate', deliveries: by.deliveries },
    });
  }
  return holders;
}

/** What becomes of an event without being stored; null when it is to be: then nobody has any of its keys. */
export function fateOf(event: Claimant, holders: ReadonlyMap<string, Holder>): ItemResult | 'conflict' | null {
  const place = event.source?.key ?? null;
  // Before the event's own keys: what a message is read as may have changed since it was taken.
  const sameMessage = place === null ? undefined : holders.get(place);
  if (sameMessage !== undefined) return { ...sameMessage.result, status: 'duplicate' };
  let first: Holder | undefined;
  for (const key of event.keys) {
    const holder = holders.get(key);
    if (holder !== undefined && holder.bodyHash !== event.bodyHash) return 'conflict';
    first ??= holder;
  }
  return first === undefined ? null : { ...first.result, status: 'duplicate' };
}
