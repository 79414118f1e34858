import { matchesType, SYSTEM_SEGMENT } from './type-pattern.ts';

/** An endpoint's wishes: no subscriptions means everything (but not Posthorn's own events). */
export interface RoutedEndpoint {
  readonly num: number;
  readonly subscriptions: readonly { readonly types?: readonly string[] | undefined }[];
}

/** Types whose answer is remembered, per tenant: producers use few, and a hostile one must not fill the memory. */
const REMEMBERED_TYPES = 1_000;

/** A tenant's subscriptions, ready to match: which endpoints get an event, each once however many of its subscriptions match. */
export class TenantRouting {
  readonly #endpoints: readonly { readonly num: number; readonly patterns: readonly string[] }[];
  readonly #remembered = new Map<string, readonly number[]>();

  constructor(endpoints: readonly RoutedEndpoint[]) {
    this.#endpoints = endpoints.map(({ num, subscriptions }) => ({ num, patterns: patternsOf(subscriptions) }));
  }

  /** Numbers of the endpoints that an event of this type goes to, in rising order of creation. */
  match(type: string): readonly number[] {
    const known = this.#remembered.get(type);
    if (known !== undefined) return known;
    const matched = this.#endpoints
      .filter(({ patterns }) => patterns.some((pattern) => matchesType(pattern, type)))
      .map(({ num }) => num);
    if (this.#remembered.size >= REMEMBERED_TYPES) this.#remembered.clear();
    this.#remembered.set(type, matched);
    return matched;
  }
}

function patternsOf(subscriptions: RoutedEndpoint['subscriptions']): readonly string[] {
  if (subscriptions.length === 0) return ['**'];
  return subscriptions.flatMap(({ types }) => (types === undefined || types.length === 0 ? ['**'] : types));
}

/** Whether a producer may use this type: Posthorn keeps `system` and `system.…` for its own events. */
export function isReservedType(type: string): boolean {
  return type === SYSTEM_SEGMENT || type.startsWith(`${SYSTEM_SEGMENT}.`);
}
