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

/** What became of an event that takes too long to be matched by the routing of one version (`TooCostlyToMatch`). */
export interface Unmatched {
  readonly version: bigint;
  readonly endpoints: null;
}

/** An event, with what was found for it where that took long: it is not matched again by routing of the same version. */
export interface MatchedEvent extends RoutedEvent {
  matched?: Match | Unmatched | undefined;
}

export interface Matcher {
  /** Null: not now, what was matched took so long that others come first. */
  match(tenantNum: number, event: MatchedEvent): Match | Unmatched | null;
  laneOf(endpointNum: number): number;
  /** Whether it is the tenant's own events that took so long. */
  isCostly(tenantNum: number): boolean;
}
