/**
 * What one attempt came to, and what follows from it. Both are closed unions, handled in one exhaustive `switch`:
 * a failed HTTP call is a value, never an exception.
 */

/** Milliseconds spent in each phase of an attempt; null where the phase was not reached or the connection was reused. */
export interface AttemptTiming {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly firstByteMs: number | null;
  readonly totalMs: number;
}

/**
 * The receiver's answer as far as it is kept: the body is cut at 16 KiB and never inflated. That of a broker has no status and no body;
 * its headers say where the message is (`topic`, `partition`, `offset`; `exchange`, `routing-key`), or the broker's error `code`.
 */
export interface ReceivedResponse {
  readonly status: number | null;
  /** Header names in lower case; values joined with ", " when a header came more than once. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly truncated: boolean;
}

/** `network`: this host could not even try (no route, no socket, no local port). */
export type UnreachableReason = 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network';

/** `withdrawn`: it was cancelled, or retried by hand, between its fetch and its turn. */
export type SkipReason = 'endpoint_deleted' | 'payload_expunged' | 'withdrawn';

export type Outcome =
  | { readonly kind: 'delivered'; readonly response: ReceivedResponse; readonly timing: AttemptTiming }
  | {
      readonly kind: 'rejected';
      readonly response: ReceivedResponse;
      /** One line for people, where the response alone does not say why. */
      readonly detail?: string;
      readonly timing: AttemptTiming;
    }
  | {
      readonly kind: 'unreachable';
      readonly reason: UnreachableReason;
      /** One line for people: no secret, no URL userinfo. */
      readonly detail: string;
      /** The fault is known to be our own, however other endpoints fare: the egress proxy does not do its work. */
      readonly ours?: 'proxy';
      /** There was a connection to the receiver, from before or opened for this attempt; `timing` is silent about the former. */
      readonly wasConnected?: true;
      readonly timing: AttemptTiming;
    }
  /** No request was made: the egress guard refused the address, port or scheme, or the stored event is damaged. */
  | { readonly kind: 'blocked'; readonly detail: string; readonly timing: AttemptTiming }
  /** No request was made and none will be. */
  | { readonly kind: 'skipped'; readonly reason: SkipReason };

/** What an outcome is called outside: in the API, in system events and in the log. One that reached nobody goes by its reason. */
export function outcomeWord(outcome: Outcome): Exclude<Outcome['kind'], 'unreachable'> | UnreachableReason {
  return outcome.kind === 'unreachable' ? outcome.reason : outcome.kind;
}

export type Decision =
  /** `disable`: the receiver has the event and wants no more; why, for people. */
  | { readonly kind: 'done'; readonly disable?: string }
  /** Try again after `delayMs` from the settle, on Postgres's clock. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** As `retry`, but for a fault of our own: it takes nothing from the delivery's schedule. */
  | { readonly kind: 'postpone'; readonly delayMs: number }
  | { readonly kind: 'dead_letter' }
  /** Dead-letter this delivery and disable its endpoint; `reason` is shown to people. */
  | { readonly kind: 'disable'; readonly reason: string }
  /** The delivery will never be made: its endpoint, tenant or payload is gone, or someone cancelled it. */
  | { readonly kind: 'cancel' };

/** A decision after which the delivery stays in the mailbox. All others end it. */
export type StayingDecision = Extract<Decision, { readonly delayMs: number }>;

export function staysInMailbox(decision: Decision): decision is StayingDecision {
  return 'delayMs' in decision;
}
