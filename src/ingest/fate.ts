import { eventIdOf } from '../domain/ids.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { ItemResult } from './plan-group.ts';
import type { Claimant } from './seal-event.ts';

/** The event that has a key. */
export interface Holder {
  readonly bodyHash: string;
  readonly eventUuid: string;
  readonly result: ItemResult;
}

/** @returns by key, the stored event that has claimed it */
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

/** @returns what becomes of an event that is not to be stored again; null: no event has any of its keys, so that it is to be stored */
export function fateOf(event: Claimant, holders: ReadonlyMap<string, Holder>): ItemResult | 'conflict' | null {
  const place = event.source?.key ?? null;
  // Looked at before the event's own keys: the mapping of its source may have changed since the message was stored, and with it the keys.
  const sameMessage = place === null ? undefined : holders.get(place);
  if (sameMessage !== undefined) return { ...sameMessage.result, status: 'duplicate' };
  let first: Holder | undefined;
  for (const key of event.keys) {
    const holder = holders.get(key);
    if (holder !== undefined && !isSameBody(event, holder)) return 'conflict';
    first ??= holder;
  }
  return first === undefined ? null : { ...first.result, status: 'duplicate' };
}

function isSameBody({ bodyHash, formerHash }: Claimant, holder: Holder): boolean {
  return holder.bodyHash === bodyHash || holder.bodyHash === formerHash?.();
}
