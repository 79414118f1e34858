import type { ProblemCode } from './api.ts';
import { type Fault, NoAnswerError, PosthornError } from './errors.ts';

/** Why one event is refused. */
export interface EventRefusal {
  /** Null where it is none of the server's: something between refuses what it does not know to be an event. */
  readonly code: ProblemCode | (string & {}) | null;
  /** With paths within the event. */
  readonly faults: readonly Fault[];
}

export interface RefusedEvent extends EventRefusal {
  readonly code: ProblemCode | (string & {});
}

/** What the failure of a batch means for its events. */
export type Verdict =
  /** Those of them that are refused, by their place in the batch. The others can be sent without them. */
  | {
      readonly kind: 'some_refused';
      readonly refusals: ReadonlyMap<number, EventRefusal>;
      readonly isSize: boolean;
    }
  /** Some event is at fault, or all are too much at once (`isSize`): smaller batches tell. What counts no events (`isCount`) minds bytes alone. */
  | { readonly kind: 'too_much'; readonly isSize: boolean; readonly isCount: boolean }
  /** It says nothing of the events: no answer, or a refusal of the call, which would meet every other batch as well. */
  | { readonly kind: 'undecided' };

/** Codes that are about events. All others are about the call: with another key, say, the same events may be taken. */
const ABOUT_EVENTS: ReadonlySet<string | null> = new Set([
  'invalid',
  'invalid_event',
  'invalid_batch',
  'too_deep',
  'too_costly_to_route',
  'idempotency_conflict',
  'tenant_not_found',
]);
/** The server's own with 413. */
const ABOUT_SIZE: ReadonlySet<string | null> = new Set(['too_large', 'fan_out_too_large', 'over_burst']);
/** They go by what the tenant is allowed at the moment, or whether it is there at all: the same event may be taken later. */
const PASSING: ReadonlySet<string> = new Set(['tenant_not_found', 'over_burst']);

/** @param size how many events the batch has */
export function judge(failure: unknown, size: number): Verdict {
  if (!(failure instanceof PosthornError)) return { kind: 'undecided' };
  const { status, code, errors } = failure;
  const isSize = status === 413;
  if (!isSize && !ABOUT_EVENTS.has(code)) return { kind: 'undecided' };
  if (size === 1) {
    const refusal = { code: isSize && !ABOUT_SIZE.has(code) ? null : code, faults: errors };
    return { kind: 'some_refused', refusals: new Map([[0, refusal]]), isSize };
  }
  const refusals = code === 'invalid_batch' ? refusalsByEvent(errors, size) : new Map();
  if (refusals.size > 0) return { kind: 'some_refused', refusals, isSize };
  // Without a code it is a proxy's, which does not know what an event is.
  return { kind: 'too_much', isSize, isCount: code !== null };
}

/** Whether the event is refused for what it is, by the rules that hold now; otherwise the same event may be taken later. */
export function isOfEvent(refusal: EventRefusal): refusal is RefusedEvent {
  return refusal.code !== null && !PASSING.has(refusal.code);
}

/** Whether the events of the request may be stored although it failed. */
export function mayBeStored(failure: unknown): boolean {
  return (failure instanceof PosthornError || failure instanceof NoAnswerError) && failure.mayHaveArrived;
}

/** The path of each fault begins with the place of its event. */
function refusalsByEvent(errors: readonly Fault[], size: number): ReadonlyMap<number, EventRefusal> {
  const byEvent = new Map<number, EventRefusal>();
  for (const { path, ...fault } of errors) {
    const [, place, rest = ''] = /^(\d+)(?:\.(.*))?$/s.exec(path) ?? [];
    if (place === undefined || Number(place) >= size) continue;
    // A server that names no code of its own for each says that much.
    const { code, faults } = byEvent.get(Number(place)) ?? { code: fault.code ?? 'invalid_batch', faults: [] };
    byEvent.set(Number(place), { code, faults: [...faults, { path: rest, ...fault }] });
  }
  return byEvent;
}
