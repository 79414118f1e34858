import type { NewEvent } from './api.ts';
import type { Fault, PosthornError } from './errors.ts';

/** What became of one event. `event` is as it was sent, with its id. */
export type SendOutcome =
  /** Stored: now, or by an earlier try or call (`duplicate`). `id` is the one that it is delivered with. */
  | {
      readonly status: 'accepted' | 'duplicate';
      readonly event: NewEvent;
      readonly id: string;
      readonly deliveries: number;
    }
  /**
   * Not stored, and as it is it never will be. `faults` are those of this event, with paths within it. With the code `idempotency_conflict` another event
   * is stored under its id or idempotency key.
   */
  | {
      readonly status: 'refused';
      readonly event: NewEvent;
      readonly error: PosthornError;
      readonly faults: readonly Fault[];
    }
  /**
   * Not known to be stored: no answer came in time; or one that says nothing of the event, such as one to the key (401); or a refusal of a later try, after
   * one that may have stored it. To send `event` again, with the id that it has, does no harm within the server's `IDEMPOTENCY_HOURS` (24 unless set):
   * after them it may be stored a second time.
   */
  | { readonly status: 'undecided'; readonly event: NewEvent; readonly error: unknown };

/** Some events were not stored, or not that anybody knows: `outcomes` says what became of each, in their order. `cause` is the first failure. */
export class SendError extends Error {
  // Not a property: errors are printed with all that they have, and events are nobody's but the caller's.
  readonly #outcomes: readonly SendOutcome[];

  constructor(outcomes: readonly SendOutcome[]) {
    const failed = outcomes.filter((outcome) => 'error' in outcome);
    const refused = failed.filter(({ status }) => status === 'refused').length;
    const counts = `${outcomes.length} events: ${refused} refused, ${failed.length - refused} undecided`;
    super(`Not all were stored of ${counts}. ${messageOf(failed[0]?.error)}`, { cause: failed[0]?.error });
    this.name = 'SendError';
    this.#outcomes = outcomes;
  }

  get outcomes(): readonly SendOutcome[] {
    return this.#outcomes;
  }

  /** Those to send again as they are, within the server's `IDEMPOTENCY_HOURS`: they have the ids under which they may be stored already. */
  get undecided(): NewEvent[] {
    return this.#outcomes.flatMap((outcome) => (outcome.status === 'undecided' ? [outcome.event] : []));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
