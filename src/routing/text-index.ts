import type { Condition } from './condition.ts';
import { foldCase } from './fold-case.ts';
import { parseIp, prefixKey } from './ip-network.ts';
import { MultiMap } from './multi-map.ts';
import { RadixTree } from './radix-tree.ts';

export type TextCondition = Extract<Condition, { readonly text: string }>;
type PlacedCondition = Exclude<TextCondition, { kind: 'string' | 'equals' | 'cidr' }>;

/** Whom to tell of what is found. */
export interface Finder<V> {
  /** The text satisfies it. */
  readonly hit: (value: V) => void;
  /** The text may satisfy it; it may be told more than once. */
  readonly maybe: (value: V) => void;
}

/** Longest part of a literal that is looked for at every place of a text. */
const PROBE_LENGTH = 64;

/** What is wanted of texts. It is found by the text: time is about its length, however much is wanted. */
export class TextIndex<V extends object> {
  readonly strings = new MultiMap<string, V>();
  readonly #folded = new MultiMap<string, V>();
  /** By family and length of the prefix. */
  readonly #networks = new Map<string, { groups: number; bits: number; values: MultiMap<string, V> }>();
  readonly #trees = new Map<Place, { place: Place; tree: RadixTree<V> }>();

  add(condition: TextCondition, value: V): void {
    const { store, key } = this.#placeOf(condition);
    store.add(key, value);
  }

  delete(condition: TextCondition, value: V): void {
    const { store, key, place } = this.#placeOf(condition);
    store.delete(key, value);
    if (place !== undefined && store.size === 0) this.#trees.delete(place);
  }

  visit(text: string, { hit, maybe }: Finder<V>): void {
    this.strings.visit(text, hit);
    if (this.#networks.size > 0) this.#visitNetworks(text, hit);
    if (this.#folded.size > 0) this.#folded.visit(foldCase(text), hit);
    for (const { place, tree } of this.#trees.values()) {
      const visit = place.isCertain ? hit : maybe;
      const folded = place.isFolded ? foldCase(text) : text;
      if (place.side === 'within') tree.visitWithin(folded, visit);
      else tree.visit(place.side === 'end' ? reversed(folded) : folded, visit);
    }
  }

  #visitNetworks(text: string, hit: (value: V) => void): void {
    const address = parseIp(text);
    if (address === null) return;
    for (const { groups, bits, values } of this.#networks.values()) {
      if (groups === address.length) values.visit(prefixKey(address, bits), hit);
    }
  }

  #placeOf(condition: TextCondition): { store: Store<V>; key: string; place?: Place } {
    switch (condition.kind) {
      case 'string':
        return { store: this.strings, key: condition.text };
      case 'equals':
        return { store: this.#folded, key: condition.text };
      case 'cidr': {
        const { groups, bits } = condition.network;
        const make = () => ({ groups: groups.length, bits, values: new MultiMap<string, V>() });
        const { values } = getOrMake(this.#networks, `${groups.length}/${bits}`, make);
        return { store: values, key: prefixKey(groups, bits) };
      }
      default: {
        const { place, key } = placeOf(condition);
        const { tree } = getOrMake(this.#trees, place, () => ({ place, tree: new RadixTree<V>() }));
        return { store: tree, key, place };
      }
    }
  }
}

interface Store<V> {
  readonly size: number;
  add(key: string, value: V): void;
  delete(key: string, value: V): void;
}

/** A tree, and what of a text is looked up in it. */
interface Place {
  readonly side: 'start' | 'end' | 'within';
  readonly isFolded: boolean;
  /** Whether what is found is also satisfied. */
  readonly isCertain: boolean;
}

const PREFIXES: Place = { side: 'start', isFolded: false, isCertain: true };
const FOLDED_PREFIXES: Place = { side: 'start', isFolded: true, isCertain: true };
const SUFFIXES: Place = { side: 'end', isFolded: false, isCertain: true };
const FOLDED_SUFFIXES: Place = { side: 'end', isFolded: true, isCertain: true };
const BEGINNINGS: Place = { side: 'start', isFolded: false, isCertain: false };
const ENDS: Place = { side: 'end', isFolded: false, isCertain: false };
const MIDDLES: Place = { side: 'within', isFolded: false, isCertain: false };

function placeOf(condition: PlacedCondition): { readonly place: Place; readonly key: string } {
  switch (condition.kind) {
    case 'prefix':
      return { place: condition.fold ? FOLDED_PREFIXES : PREFIXES, key: condition.text };
    case 'suffix':
      return { place: condition.fold ? FOLDED_SUFFIXES : SUFFIXES, key: reversed(condition.text) };
    case 'wildcard':
      return placeOfLiterals(condition.wildcard.literals);
    case 'glob':
      // `a.*` may match `a.b`, `a.**` also `a`: the dots beside stars are not certain.
      return placeOfLiterals(condition.text.split(/\*+/).map((part) => part.replace(/^\.|\.$/g, '')));
  }
}

/** A text with stars goes by what it begins with, or ends with, or has in its middle: whichever says most. */
function placeOfLiterals(literals: readonly string[]): { readonly place: Place; readonly key: string } {
  const longest = literals.reduce((a, b) => (b.length > a.length ? b : a));
  const enough = longest.length / 2;
  const [first, last] = [literals[0]!, literals.at(-1)!];
  if (first.length >= enough) return { place: BEGINNINGS, key: first };
  if (last.length >= enough) return { place: ENDS, key: reversed(last) };
  return { place: MIDDLES, key: longest.slice(0, PROBE_LENGTH) };
}

function reversed(text: string): string {
  let result = '';
  for (let i = text.length - 1; i >= 0; i--) result += text[i];
  return result;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
