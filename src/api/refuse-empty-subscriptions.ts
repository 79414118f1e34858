import { Refusal } from '../domain/errors.ts';
import type { Subscription } from '../routing/subscription-clauses.ts';

/**
 * Refuses subscriptions with neither types nor a filter. Such a one would be to everything, and mostly what should have been in it was lost.
 * @param before what the endpoint has already: that stays, as from an earlier version
 * @throws Refusal 422
 */
export function refuseEmptySubscriptions(wanted: readonly Subscription[], before: readonly Subscription[]): void {
  if (before.some(isEmpty)) return;
  const faults = wanted.flatMap((subscription, i) =>
    isEmpty(subscription) ? [{ path: `subscriptions.${i}`, message: MESSAGE }] : [],
  );
  if (faults.length > 0) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults });
}

const MESSAGE = 'expected `types`, a `filter`, or both; who wants everything has no subscriptions';

function isEmpty({ types, filter }: Subscription): boolean {
  return types === undefined && filter === undefined;
}
