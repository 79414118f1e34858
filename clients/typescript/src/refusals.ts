import { type Fault, PosthornError } from './errors.ts';

/** What the failure of a batch means for its events. */
export type Verdict =
  /** Those of them that are at fault, by their place in the batch. The others can be sent without them. */
  | { readonly kind: 'some_refused'; readonly faults: ReadonlyMap<number, readonly Fault[]> }
  /** Some event is at fault, or all are too much at once: smaller batches tell. */
  | { readonly kind: 'too_much'; readonly isSize: boolean }
  /** Nothing was stored, and no other batch will be. */
  | { readonly kind: 'call_refused'; readonly error: PosthornError }
  | { readonly kind: 'undecided' };

/** Codes that are about events; all others of 4xx are about the call. */
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
  if (!(failure instanceof PosthornError) || failure.status < 300 || failure.status >= 500)
    return { kind: 'undecided' };
  const { status, code } = failure;
  if (status === 408 || status === 429) return { kind: 'undecided' };
  const isSize = status === 413;
  if (!isSize && !ABOUT_EVENTS.has(code)) return { kind: 'call_refused', error: failure };
  if (size === 1) return { kind: 'some_refused', faults: new Map([[0, failure.errors]]) };
  const faults = code === 'invalid_batch' ? faultsByEvent(failure.errors, size) : new Map();
  return faults.size > 0 ? { kind: 'some_refused', faults } : { kind: 'too_much', isSize };
}

/** The path of each begins with the place of its event. */
function faultsByEvent(errors: readonly Fault[], size: number): ReadonlyMap<number, readonly Fault[]> {
  const byEvent = new Map<number, Fault[]>();
  for (const { path, message } of errors) {
    const [, place, rest = ''] = /^(\d+)(?:\.(.*))?$/s.exec(path) ?? [];
    if (place === undefined || Number(place) >= size) continue;
    const faults = byEvent.get(Number(place)) ?? [];
    byEvent.set(Number(place), [...faults, { path: rest, message }]);
  }
  return byEvent;
}
