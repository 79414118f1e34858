import type { OrderMode } from '../domain/endpoint.ts';

/** How the deliveries of an event are stored: `direct` with it, `deferred` by a worker that expands it later. */
export interface FanOut {
  readonly direct: readonly number[];
  readonly deferred: readonly number[];
}

/** Endpoints that an event may match before a worker writes its deliveries. */
export const MAX_DIRECT = 200;
/** The same in a batch whose deliveries would be too many for one statement, though none of its events has many. */
export const MAX_DIRECT_IN_LARGE_BATCH = 10;

const NONE: readonly number[] = [];

interface Matched {
  readonly endpoints: readonly number[];
  readonly ordered?: ReadonlyMap<number, OrderMode>;
}

/**
 * Divides the endpoints of an event. Ordered deliveries are never deferred: a later event's would go before them. An event without subject
 * has no place in an order of subjects (`src/routing/order-key.ts`).
 * @param most what may be written directly; past it only what is ordered is
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

/** What may be written directly of each event of a request: see `MAX_DIRECT`. */
export function directBound(matches: readonly Matched[], maxRows: number): number {
  let rows = 0;
  for (const { endpoints } of matches) rows += endpoints.length > MAX_DIRECT ? 0 : endpoints.length;
  return matches.length > 1 && rows > maxRows / 2 ? MAX_DIRECT_IN_LARGE_BATCH : MAX_DIRECT;
}
