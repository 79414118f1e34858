import type { Plan } from './plan.ts';

export interface LoadSetup {
  readonly plan: Plan;
  readonly baseUrl: string;
  readonly operatorKey: string;
}

/** As fast as answers come, with so many posts under way, as long as no more than `maxBacklog` deliveries wait. */
export interface ClosedLoad {
  readonly batch: number;
  readonly postsAtOnce: number;
  readonly maxBacklog: number;
  /** Ends by itself after so many events. */
  readonly events?: number;
}

export type LoadCommand =
  | ({ readonly kind: 'setup' } & LoadSetup)
  | ({ readonly kind: 'closed' } & ClosedLoad)
  /** One event a request, by the timetable and not by the answers. */
  | { readonly kind: 'open'; readonly eventsPerSecond: number }
  | { readonly kind: 'delivered'; readonly deliveries: number }
  | { readonly kind: 'tell' }
  /** No more posts; answered when all that are under way have been accepted. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'times' };

export interface LoadCounts {
  /** Events that were answered 202. */
  readonly accepted: number;
  readonly requests: number;
  /** Posts that were made again: answered 429 or 503, or not at all. */
  readonly repeated: number;
  /** What was answered otherwise; the run has failed then. */
  readonly refused: readonly string[];
}

export type LoadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'counts'; readonly counts: LoadCounts }
  /** Answer to `stop`, or an end by itself. */
  | { readonly kind: 'stopped'; readonly counts: LoadCounts }
  /** By number of event, milliseconds of `monotonicMs`: when it was to be sent, and when its 202 came. */
  | { readonly kind: 'times'; readonly intended: Float64Array; readonly accepted: Float64Array };
