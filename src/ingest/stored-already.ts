import type { AskedKey, ClaimedBy } from '../store/claims.ts';
import { fateOf, holdersOf } from './fate.ts';
import type { ItemResult } from './plan-group.ts';
import type { Rejection } from './rejection.ts';
import { type Claimant, claimsOf } from './seal-event.ts';

/** Which of these keys are claimed, and by whom; those of deleted tenants are not. There may be others among them. */
export type FindStored = (asked: readonly AskedKey[]) => Promise<ReadonlyMap<string, ClaimedBy>>;

/**
 * Which of the refused events are stored already, and what their producer was told, or would have been. Whoever sends an event again because the answer
 * was lost must not hear that it cannot be taken, only because its schema came in between: it would be sent under another id, or be believed lost.
 * Asked only when something is refused.
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
