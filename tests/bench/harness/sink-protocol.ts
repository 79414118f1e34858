import type { Plan } from './plan.ts';

/** How the sink answers. Only answers of 200 count as deliveries. */
export interface SinkBehaviour {
  readonly status: 200 | 500;
  /** The endpoint that holds its answers back, and for how long; what it holds is let go when the behaviour changes. */
  readonly slow: { readonly endpoint: number; readonly delayMs: number } | null;
}

export interface SinkSetup {
  readonly plan: Plan;
  /** Ports to listen on; endpoint `e` is told port `e % ports`. */
  readonly ports: number;
  readonly tls: boolean;
}

export type SinkCommand =
  | ({ readonly kind: 'setup' } & SinkSetup)
  | { readonly kind: 'trust'; readonly secrets: Readonly<Record<number, string>> }
  | { readonly kind: 'behave'; readonly behaviour: SinkBehaviour }
  | { readonly kind: 'tell' }
  /** Asks for the time at which each event first came, by its number. */
  | { readonly kind: 'times' };

export interface SinkCounts {
  readonly requests: number;
  /** Distinct (event, endpoint) pairs that were answered 200. */
  readonly delivered: number;
  readonly duplicates: number;
  /** Requests with an unknown id, or for an endpoint that must not have that event. */
  readonly strangers: number;
  /** Of the signatures that were looked at, so many held and so many did not. */
  readonly verified: number;
  readonly forged: number;
  readonly openConnections: number;
  readonly connections: number;
  readonly resumedSessions: number;
}

export type SinkMessage =
  | { readonly kind: 'ready'; readonly ports: readonly number[] }
  | { readonly kind: 'progress'; readonly delivered: number }
  | { readonly kind: 'counts'; readonly counts: SinkCounts }
  /** Milliseconds of the machine's monotonic clock (`monotonicMs`); 0 for events that never came. */
  | { readonly kind: 'times'; readonly received: Float64Array };
