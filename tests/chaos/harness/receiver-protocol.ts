import type { Behaviour } from './behaviour.ts';

/** What the harness may say to the receiver's process. */
export type ReceiverCommand =
  /** Requests to `/<endpoint>` are verified with these secrets (any of them) and belong to this tenant. */
  | { readonly kind: 'trust'; readonly endpoint: number; readonly tenant: string; readonly secrets: readonly string[] }
  | { readonly kind: 'behave'; readonly endpoint: number; readonly behaviour: Behaviour }
  /** Answers what is held, for one endpoint, with 204. */
  | { readonly kind: 'release'; readonly endpoint: number }
  | { readonly kind: 'tell'; readonly question: number };

/** What the receiver's process says: once when it listens, then in answer to `tell`, with its ledger written up to then. */
export interface ReceiverReport {
  readonly question: number;
  readonly port: number;
  readonly requests: number;
  /** Requests answered with 2xx. */
  readonly good: number;
  readonly inFlight: number;
  readonly endpoints: readonly EndpointReport[];
}

export interface EndpointReport {
  readonly requests: number;
  readonly good: number;
  readonly inFlight: number;
  readonly mostInFlight: number;
}
