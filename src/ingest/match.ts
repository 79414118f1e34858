import type { OrderMode } from '../domain/endpoint.ts';
import type { RoutedEvent } from '../routing/tenant-index.ts';

/** Where an event goes, by the routing of one version. */
export interface Match {
  readonly version: bigint;
  /** Of the tenant's event types, as they were with this version of the routing; absent: it never had any. */
  readonly rulesVersion?: bigint;
  /** Endpoint numbers, rising: an array that events may share, so that counting deliveries allocates nothing for each. */
  readonly endpoints: readonly number[];
  /** Those of the tenant's endpoints that want their deliveries in order; absent when none does. */
  readonly ordered?: ReadonlyMap<number, OrderMode>;
}

/** In place of a match: the event takes too long to be matched by the routing of this version (`TooCostlyToMatch`). */
export interface Unmatched {
  readonly version: bigint;
  readonly endpoints: null;
}

/** An event, with its match where that took long to find: it is not matched again by routing of the same version. */
export interface MatchedEvent extends RoutedEvent {
  matched?: Match | Unmatched | undefined;
}

export interface Matcher {
  /** Null: not now, because matching has used up the turn, or the tenant's share of it (`MatchMeter`). */
  match(tenantNum: number, event: MatchedEvent): Match | Unmatched | null;
  laneOf(endpointNum: number): number;
  /** Whether the tenant's own events have used up its share. */
  isCostly(tenantNum: number): boolean;
}
