import type { AskedKey, ClaimedBy } from '../store/claims.ts';
import { fateOf, holdersOf } from './fate.ts';
import type { ItemResult } from './plan-group.ts';
import type { Rejection } from './rejection.ts';
import { type Claimant, claimsOf } from './seal-event.ts';

/** Finds who has claimed these keys; keys of deleted tenants are claimed by nobody. The answer may hold other keys, too. */
export type FindStored = (asked: readonly AskedKey[]) => Promise<ReadonlyMap<string, ClaimedBy>>;

/**
 * Finds the refused events that are stored already, with what their producer was told then. A producer that sends an event again because
 * the answer was lost must not hear that the event cannot be taken, only because its schema was registered in between: it would send the
 * event under another id, or believe it lost. Called only if something is refused.
 */
export async function storedAlready<P>(
  rejections: ReadonlyMap<P, Rejection>,
  findStored: FindStored,
): Promise<ReadonlyMap<P, ItemResult>> {
  const claimants: [P, Claimant][] = [];
  for (const [place, { claimant }] of rejections) if (claimant !== undefined) claimants.push([place, claimant]);
  const asked = claimants.flatMap(([, claimant]) =>
    claimsOf(claimant).map(({ key }) => ({ key, tenantNum: claimant.tenant.num })),
  );
  if (asked.length === 0) return new Map();
  const holders = holdersOf(await findStored(asked));
  const stored = new Map<P, ItemResult>();
  for (const [place, claimant] of claimants) {
    const fate = fateOf(claimant, holders);
    if (fate !== null && fate !== 'conflict') stored.set(place, fate);
  }
  return stored;
}
