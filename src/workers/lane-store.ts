import type { EndpointState } from '../store/endpoint-states.ts';
import type { Heartbeat, LaneLease } from '../store/lanes.ts';
import type { DueDelivery, EventBody, LaneFetch, ParkedFetch } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { LoadedTarget } from '../store/targets.ts';

/** What a lane's owner asks of Postgres: each a batch, each one statement. */
export interface LaneStore {
  acquire(lanes: readonly number[]): Promise<LaneLease[]>;
  heartbeat(leases: readonly LaneLease[]): Promise<Heartbeat>;
  release(leases: readonly LaneLease[]): Promise<void>;
  fetchDue(fetches: readonly LaneFetch[]): Promise<DueDelivery[]>;
  fetchParked(fetches: readonly ParkedFetch[]): Promise<DueDelivery[]>;
  park(rows: readonly DueDelivery[]): Promise<void>;
  parkedEndpoints(lanes: readonly number[]): Promise<{ lane: number; endpointNum: number }[]>;
  /** Those of the rows that are in the mailbox as they were read. */
  stillWaiting(rows: readonly DueDelivery[]): Promise<{ eventUuid: string; endpointNum: number }[]>;
  nextDue(lanes: readonly number[]): Promise<Map<number, number>>;
  bodies(uuids: readonly string[]): Promise<Map<string, EventBody>>;
  targets(nums: readonly number[]): Promise<Map<number, LoadedTarget>>;
  targetVersions(nums: readonly number[]): Promise<Map<number, number>>;
  settle(leases: readonly LaneLease[], attempts: readonly SettledAttempt[]): Promise<ReadonlySet<number>>;
  saveEndpointStates(leases: readonly LaneLease[], states: readonly EndpointState[]): Promise<void>;
  giveUp(attempt: SettledAttempt): Promise<void>;
  disableEndpoint(endpointNum: number, reason: string): Promise<void>;
}
