import { FilterIndex } from './filter-index.ts';
import { type Subscription, subscriptionClauses } from './subscription-clauses.ts';

/** What an endpoint subscribes to: no subscriptions means everything (but not Posthorn's own events). */
export interface RoutedEndpoint {
  readonly num: number;
  readonly subscriptions: readonly Subscription[];
}

/** An event, as far as its routing is concerned. */
export interface RoutedEvent {
  readonly type: string;
  /** The event as it is delivered, parsed; asked for only where filters need it. */
  readonly content: () => unknown;
}

/** For how many types of a tenant the answer is remembered: producers use few, and a hostile one must not fill the memory. */
const REMEMBERED_TYPES = 1_000;

/** A tenant's subscriptions, ready to match: which endpoints get an event, each once however many of its subscriptions match. */
export class TenantIndex {
  readonly #index = new FilterIndex();
  /** By endpoint: its clause, or a list of them when there are several. */
  readonly #clauses = new Map<number, number | readonly number[]>();
  readonly #filtering = new Set<number>();
  readonly #remembered = new Map<string, readonly number[]>();

  get clauses(): number {
    return this.#index.size;
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return this.#index.bytes;
  }

  /** Whether filters may ask for the content of events. */
  get readsContent(): boolean {
    return this.#filtering.size > 0;
  }

  /** Adds the endpoint, or replaces what it asked for. */
  set({ num, subscriptions }: RoutedEndpoint): void {
    this.delete(num);
    const wishes: readonly Subscription[] = subscriptions.length === 0 ? [{}] : subscriptions;
    const clauses = wishes.flatMap(subscriptionClauses);
    const added = clauses.map((clause) => this.#index.add(num, clause));
    this.#clauses.set(num, added.length === 1 ? added[0]! : added);
    if (wishes.some(({ filter }) => filter !== undefined)) this.#filtering.add(num);
  }

  delete(num: number): void {
    this.#remembered.clear();
    const clauses = this.#clauses.get(num) ?? [];
    for (const clause of typeof clauses === 'number' ? [clauses] : clauses) this.#index.remove(clause);
    this.#clauses.delete(num);
    this.#filtering.delete(num);
  }

  /** What `match` would say, where that is known by the type alone. */
  recall(type: string): readonly number[] | undefined {
    return this.#remembered.get(type);
  }

  /**
   * Numbers of the endpoints that an event goes to, in rising order of creation. The array may be shared: it is not to be changed.
   * @throws TooCostlyToMatch where the event has so many values, and filters so many conditions, that it would take too long
   */
  match({ type, content }: RoutedEvent): readonly number[] {
    if (this.readsContent) return this.#index.match(content());
    const known = this.recall(type);
    if (known !== undefined) return known;
    const matched = this.#index.match({ type });
    if (this.#remembered.size >= REMEMBERED_TYPES) this.#remembered.clear();
    this.#remembered.set(type, matched);
    return matched;
  }
}
