import type { NoticeKind } from '../domain/notice.ts';
import type { Decision, Outcome } from '../domain/outcome.ts';

export interface AcceptedEvent {
  readonly uuid: string;
  readonly externalId: string | null;
  readonly tenantId: string;
  readonly type: string;
  readonly bytes: number;
  readonly deliveries: number;
}

/** Whose an attempt was. */
export interface AttemptIds {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly tenantId: string;
}

export interface FinishedAttempt {
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly decision: Decision;
}

export interface ToldNotices {
  readonly tenantId: string;
  /** Null where many had news of the kind at once. */
  readonly endpointId: string | null;
  readonly endpoints: number;
  readonly kind: NoticeKind;
  /** Notices that were told of together. */
  readonly count: number;
  /** Events made of them; 0 when no endpoint of the tenant subscribes to their type. */
  readonly events: number;
}

export interface WaitingMigration {
  /** Null where another process migrates. */
  readonly migration: string | null;
  readonly waitsFor: string;
}

export interface ValidatedEndpoint {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly result: 'validated' | 'refused' | 'postponed';
}

/** What became of an endpoint's breaker or throttle. */
export interface GateChange {
  readonly kind: 'breaker_opened' | 'breaker_closed' | 'throttled' | 'worn_out';
  readonly tenantId: string;
  readonly endpointId: string;
  readonly reason?: string;
  readonly untilMs?: number;
}

export interface SetAsideDeliveryFact {
  readonly eventUuid: string;
  readonly endpointNum: number;
  /** Workers that died while they tried it. */
  readonly strikes: number;
}

/** An accepted event that is not what its type's schema says. */
export interface MisfitEvent {
  readonly tenantId: string;
  readonly type: string;
  readonly version: string;
  readonly faults: readonly { readonly path: string }[];
}

/** An attempt that is written down. */
export interface SettledFact {
  readonly eventUuid: string;
  readonly lane: number;
  /** Whether a replay queued the delivery: then nobody waited for it since its event was accepted. */
  readonly isReplay: boolean;
  /** On the clock that made the event's id. */
  readonly startedAtMs: number;
  readonly outcome: Outcome;
  readonly decision: Decision;
}

export interface EgressChangeFact {
  readonly kind: 'held' | 'released';
  readonly fault: string;
  readonly failing: number;
  readonly endpoints: number;
}

export interface FailedRequest {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly error: unknown;
}

/** A place of a source's group in a partition of Kafka that is not in its log: offsets. */
export interface LostPlace {
  readonly source: string;
  readonly topic: string;
  readonly partition: number;
  readonly reason: 'deleted' | 'cut_off';
  readonly from: bigint;
  readonly to: bigint;
}

/** What became of messages of a source. */
export interface TakenMessages {
  readonly events: number;
  readonly duplicates: number;
  readonly rejected: number;
}

/** Deliveries of an endpoint that still waited when the days of their events were dropped. */
export interface ExpiredOfEndpoint {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly count: number;
}
