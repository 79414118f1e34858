import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { EndpointState } from '../store/endpoint-states.ts';
import type { GivenUp } from '../store/give-up.ts';
import type { AcquiredLane, GivenLane, Heartbeat, LaneLease } from '../store/lanes.ts';
import type { Cursor, DueDelivery, DueRows, FetchExclusions, LaneFetch } from '../store/mailbox.ts';
import type { OrderKey } from '../store/order.ts';
import type { ParkedFlood, ParkedRows } from '../store/park.ts';
import type { ParkedFetch } from '../store/parked-rows.ts';
import type { FoundBodies } from '../store/read-bodies.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { Review, TriedDelivery } from '../store/suspects.ts';
import type { LoadedTarget } from '../store/targets.ts';

/** What a lane's owner asks of Postgres: mostly batches in one statement. */
export interface LaneStore {
  acquire(lanes: readonly number[]): Promise<AcquiredLane[]>;
  heartbeat(leases: readonly LaneLease[]): Promise<Heartbeat>;
  release(lanes: readonly GivenLane[]): Promise<void>;
  fetchDue(fetches: readonly LaneFetch[], excluded: FetchExclusions): Promise<DueRows>;
  fetchParked(fetches: readonly ParkedFetch[], held: readonly DeliveryKey[]): Promise<DueDelivery[]>;
  /** @returns those that it parked, as they are now. */
  park(leases: readonly LaneLease[], rows: readonly DueDelivery[]): Promise<readonly ParkedRows[]>;
  parkEndpoints(
    leases: readonly LaneLease[],
    endpointNums: readonly number[],
    limit: number,
    after: ReadonlyMap<number, Cursor>,
  ): Promise<ParkedFlood>;
  setBehind(leases: readonly LaneLease[], rows: readonly DueDelivery[]): Promise<void>;
  /** @returns how many rows were promoted, likewise below. */
  promote(keys: readonly OrderKey[]): Promise<number>;
  promoteAll(endpointNums: readonly number[]): Promise<number>;
  parkedEndpoints(lanes: readonly number[]): Promise<{ lane: number; endpointNum: number }[]>;
  /** Those of the rows that are in the mailbox as they were read. */
  stillWaiting(rows: readonly DueDelivery[]): Promise<{ eventUuid: string; endpointNum: number }[]>;
  nextDue(lanes: readonly number[]): Promise<Map<number, number>>;
  /** See `readBodies`. */
  bodies(uuids: readonly string[], maxBytes: number): Promise<FoundBodies>;
  targets(nums: readonly number[]): Promise<Map<number, LoadedTarget>>;
  targetVersions(nums: readonly number[]): Promise<Map<number, number>>;
  settle(leases: readonly LaneLease[], attempts: readonly SettledAttempt[]): Promise<ReadonlySet<number>>;
  saveEndpointStates(leases: readonly LaneLease[], states: readonly EndpointState[]): Promise<void>;
  reviewSuspects(lanes: readonly AcquiredLane[]): Promise<Review>;
  /** @returns those that are in the mailbox no longer as they were read. */
  putOnTrial(leases: readonly LaneLease[], deliveries: readonly TriedDelivery[]): Promise<DeliveryKey[]>;
  clearSuspects(leases: readonly LaneLease[], deliveries: readonly DeliveryKey[]): Promise<void>;
  giveUp(attempt: SettledAttempt, reason: string): Promise<Pick<GivenUp, 'mayPauseKey'>>;
  endDeliveriesOfDroppedDays(attempts: readonly SettledAttempt[]): Promise<void>;
  /** See `disableEndpoint`. */
  disableEndpoint(endpointNum: number, reason: string, resets: number): Promise<boolean>;
}
