import { type Fault, NoAnswerError, PosthornError } from './errors.ts';

/** What the failure of a batch means for its events. */
export type Verdict =
  /** Those of them that are at fault, by their place in the batch. The others can be sent without them. */
  | { readonly kind: 'some_refused'; readonly faults: ReadonlyMap<number, readonly Fault[]>; readonly isSize: boolean }
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
  'idempotency_conflict',
  'tenant_not_found',
]);

/** @param size how many events the batch has */
export function judge(failure: unknown, size: number): Verdict {
  if (!(failure instanceof PosthornError)) return { kind: 'undecided' };
  const { status, code } = failure;
  const isSize = status === 413;
  if (!isSize && !ABOUT_EVENTS.has(code)) return { kind: 'undecided' };
  if (size === 1) return { kind: 'some_refused', faults: new Map([[0, failure.errors]]), isSize };
  const faults = code === 'invalid_batch' ? faultsByEvent(failure.errors, size) : new Map();
  if (faults.size > 0) return { kind: 'some_refused', faults, isSize };
  // Without a code it is a proxy's, which does not know what an event is.
  return { kind: 'too_much', isSize, isCount: code !== null };
}

/** Whether an event is refused for want of its tenant alone, which may be there later: the same event may be taken then. */
export function isOfNoTenant({ code }: PosthornError, faults: readonly Fault[]): boolean {
  return code === 'tenant_not_found' || faults.some((fault) => fault.code === 'tenant_not_found');
}

/** Whether the events of the request may be stored although it failed. */
export function mayBeStored(failure: unknown): boolean {
  return (failure instanceof PosthornError || failure instanceof NoAnswerError) && failure.mayHaveArrived;
}

/** The path of each begins with the place of its event. */
function faultsByEvent(errors: readonly Fault[], size: number): ReadonlyMap<number, readonly Fault[]> {
  const byEvent = new Map<number, Fault[]>();
  for (const { path, ...fault } of errors) {
    const [, place, rest = ''] = /^(\d+)(?:\.(.*))?$/s.exec(path) ?? [];
    if (place === undefined || Number(place) >= size) continue;
    const faults = byEvent.get(Number(place)) ?? [];
    byEvent.set(Number(place), [...faults, { path: rest, ...fault }]);
  }
  return byEvent;
}
