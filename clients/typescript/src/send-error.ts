import type { NewEvent, ProblemCode } from './api.ts';
import type { Fault, PosthornError } from './errors.ts';

interface SentEvent {
  /** As it was sent, with its id. Numbers that a double does not hold are `JSON.rawJSON`, where the runtime has it (Node 22); doubles otherwise. */
  readonly event: NewEvent;
  /** The same as JSON, to the byte: `sendTexts` sends it again on any runtime. */
  readonly text: string;
}

/** What became of one event. */
export type SendOutcome =
  /** Stored: now, or by an earlier try or call (`duplicate`). `id` is the one that it is delivered with. */
  | (SentEvent & {
      readonly status: 'accepted' | 'duplicate';
      readonly id: string;
      readonly deliveries: number;
    })
  /**
   * Not stored: the rules that hold now refuse it, such as the schema of its type or a limit of the operator's. Keep it if they may change. With the code
   * `idempotency_conflict` another event is stored under its id or idempotency key.
   */
  | (SentEvent & {
      readonly status: 'refused';
      /** Why this event is refused, the same whether it was sent alone or among others (`error.code` is `invalid_batch` then). */
      readonly code: ProblemCode | (string & {});
      readonly error: PosthornError;
      /** Those of this event, with paths within it. */
      readonly faults: readonly Fault[];
    })
  /**
   * Not known to be stored: no answer came in time; or one that says nothing of the event, such as one to the key (401); or a refusal of a later try, after
   * one that may have stored it; or one that passes without a change of the event (`tenant_not_found`, `over_burst`, a proxy's 413). To send it again, with
   * the id that it has, does no harm within the server's `IDEMPOTENCY_HOURS` (24 unless set): after them it may be stored a second time.
   */
  | (SentEvent & {
      readonly status: 'undecided';
      /** Why this event was refused; null where no answer of the server's is about it. */
      readonly code: ProblemCode | (string & {}) | null;
      readonly error: unknown;
      readonly faults: readonly Fault[];
    });

/** Some events were not stored, or not that anybody knows: `outcomes` says what became of each, in their order. `cause` is the first failure. */
export class SendError extends Error {
  // Not a property: errors are printed with all that they have, and events are nobody's but the caller's.
  readonly #outcomes: readonly SendOutcome[];

  constructor(outcomes: readonly SendOutcome[]) {
    const first = outcomes.find(isFailed);
    const reason = first === undefined ? '' : ` ${reasonOf(first, outcomes.indexOf(first))}`;
    super(`${countsOf(outcomes)}.${reason}`, { cause: first?.error });
    this.name = 'SendError';
    this.#outcomes = outcomes;
  }

  get outcomes(): readonly SendOutcome[] {
    return this.#outcomes;
  }

  /**
   * Those to send again as they are, within the server's `IDEMPOTENCY_HOURS`: they have the ids under which they may be stored already. To keep them, or
   * where they came as text, take `text` of the outcomes and `sendTexts`.
   */
  get undecided(): NewEvent[] {
    return this.#outcomes.flatMap((outcome) => (outcome.status === 'undecided' ? [outcome.event] : []));
  }
}

type FailedOutcome = Extract<SendOutcome, { readonly error: unknown }>;

function isFailed(outcome: SendOutcome): outcome is FailedOutcome {
  return 'error' in outcome;
}

function countsOf(outcomes: readonly SendOutcome[]): string {
  const count = (status: SendOutcome['status']) => outcomes.filter((outcome) => outcome.status === status).length;
  const stored = outcomes.length - outcomes.filter(isFailed).length;
  return `${stored} of ${outcomes.length} events stored, ${count('refused')} refused, ${count('undecided')} undecided`;
}

/** What is wrong with one event: the answer to a batch says only how many are at fault. */
function reasonOf({ status, code, error, faults }: FailedOutcome, place: number): string {
  const [fault] = faults;
  if (code === null || fault === undefined) return error instanceof Error ? error.message : String(error);
  const what = status === 'refused' ? 'is refused' : 'was refused, and may be taken later or be stored already,';
  return `Event ${place} ${what} with ${code}: ${[fault.path, fault.message].filter(Boolean).join(': ')}`;
}
