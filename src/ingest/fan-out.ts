import type { OrderMode } from '../domain/endpoint.ts';

/** How the deliveries of an event are stored: `direct` with it, `deferred` by a worker that expands it later. */
export interface FanOut {
  readonly direct: readonly number[];
  readonly deferred: readonly number[];
}

/** Most endpoints of an event whose deliveries are written with it. Beyond that a worker writes them. */
export const MAX_DIRECT = 200;
/** The same for a batch whose deliveries would be too many for one statement together, though none of its events has many. */
export const MAX_DIRECT_IN_LARGE_BATCH = 10;

const NONE: readonly number[] = [];

interface Matched {
  readonly endpoints: readonly number[];
  readonly ordered?: ReadonlyMap<number, OrderMode>;
}

/**
 * Divides the endpoints of an event. Ordered deliveries are never deferred: those of a later event would overtake them. An event without
 * subject has no place in an order of subjects (`src/routing/order-key.ts`), so that its deliveries there may be deferred.
 * @param most how many deliveries may be direct; beyond it only ordered ones are
 */
export function fanOut(subject: string | null, { endpoints, ordered }: Matched, most: number): FanOut {
  if (endpoints.length <= most) return { direct: endpoints, deferred: NONE };
  if (ordered === undefined) return { direct: NONE, deferred: endpoints };
  const isOrdered = (num: number) => {
    const mode = ordered.get(num);
    return mode === 'endpoint' || (mode === 'subject' && subject !== null);
  };
  const direct = endpoints.filter(isOrdered);
  if (direct.length === 0) return { direct, deferred: endpoints };
  if (endpoints.length - direct.length <= most) return { direct: endpoints, deferred: NONE };
  return { direct, deferred: endpoints.filter((num) => !isOrdered(num)) };
}

/** @returns how many deliveries of each event of a request may be direct: see `MAX_DIRECT` */
export function directBound(matches: readonly Matched[], maxRows: number): number {
  let rows = 0;
  for (const { endpoints } of matches) rows += endpoints.length > MAX_DIRECT ? 0 : endpoints.length;
  return matches.length > 1 && rows > maxRows / 2 ? MAX_DIRECT_IN_LARGE_BATCH : MAX_DIRECT;
}
