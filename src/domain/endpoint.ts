import type { Destination } from './destination.ts';

/** Signature schemes of Standard Webhooks 1.0.0: `v1` is HMAC-SHA256, `v1a` is Ed25519. */
export type SignatureScheme = 'v1' | 'v1a';

/** Requests under way at once to an endpoint that does not say otherwise. */
export const DEFAULT_MAX_IN_FLIGHT = 16;

/** Deliveries that an endpoint takes: `perSecond` > 0, fractions allowed; `burst` ≥ 1 may come at once. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is kept in order: nothing, all that an endpoint gets, or what it gets of each subject. */
export type OrderMode = 'none' | 'endpoint' | 'subject';

/** What becomes of those behind a delivery that is dead-lettered: they go on, or wait for a person. */
export type OnDeadLetter = 'continue' | 'pause';

/** What a delivery looks like: an event of ours, or a CloudEvent 1.0 in structured or binary content mode. */
export const EVENT_FORMATS = ['native', 'cloudevents', 'cloudevents_binary'] as const;
export type EventFormat = (typeof EVENT_FORMATS)[number];

/** Whether a receiver must agree to deliveries before the first one, and by which handshake. */
export const VALIDATIONS = ['none', 'cloudevents'] as const;
export type Validation = (typeof VALIDATIONS)[number];

/** What a delivery needs to know of its endpoint, as it is at the time of the attempt. Secrets are in the clear: never log it. */
export interface DeliveryTarget {
  readonly num: number;
  readonly id: string;
  readonly tenantNum: number;
  readonly tenantId: string;
  readonly destination: Destination;
  readonly enabled: boolean;
  readonly deleted: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Signing secrets that are valid now, newest first: `whsec_…` (v1) or `whsk_…` (v1a). */
  readonly secrets: readonly string[];
  /** Delay before each attempt, the first included. Its length is the number of attempts. */
  readonly retryScheduleMs: readonly number[];
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly rateLimit: RateLimit | null;
  readonly onDeadLetter: OnDeadLetter;
  readonly format: EventFormat;
  /** Its receiver has not agreed to deliveries yet: they wait. */
  readonly awaitsValidation: boolean;
  /** The origin that its receiver agreed to, which every delivery carries; null where no agreement is wanted. */
  readonly requestOrigin: string | null;
  /** Rises with each change of the endpoint, its secrets or its tenant. */
  readonly version: number;
}
