import type { Condition } from './condition.ts';
import { foldCase } from './fold-case.ts';
import { parseIp, prefixOf } from './ip-network.ts';
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
const PROBE_LENGTH = 16;

/** What is wanted of texts. It is found by the text: time is about its length, however much is wanted. */
export class TextIndex<V extends object> {
  readonly strings = new MultiMap<string, V>();
  readonly #folded = new MultiMap<string, V>();
  readonly #networks = new Map<string, MultiMap<string, V>>();
  readonly #trees = new Map<string, RadixTree<V>>();

  add(condition: TextCondition, value: V): void {
    const { store, key } = this.#placeOf(condition);
    store.add(key, value);
  }

  delete(condition: TextCondition, value: V): void {
    const { store, key, tree } = this.#placeOf(condition);
    store.delete(key, value);
    if (tree !== undefined && store.size === 0) this.#trees.delete(tree);
  }

  visit(text: string, { hit, maybe }: Finder<V>): void {
    this.strings.visit(text, hit);
    if (this.#networks.size > 0) this.#visitNetworks(text, hit);
    if (this.#folded.size > 0) this.#folded.visit(foldCase(text), hit);
    for (const [place, tree] of this.#trees) {
      const visit = place.endsWith('?') ? maybe : hit;
      if (place === 'within?') for (let i = 0; i < text.length; i++) tree.visit(text, i, visit);
      else {
        const folded = place.includes('fold') ? foldCase(text) : text;
        tree.visit(place.startsWith('suffix') ? reversed(folded) : folded, 0, visit);
      }
    }
  }

  #visitNetworks(text: string, hit: (value: V) => void): void {
    const address = parseIp(text);
    if (address === null) return;
    for (const [name, networks] of this.#networks) {
      const [width, bits] = name.split('/').map(Number) as [number, number];
      if (width === address.width) networks.visit(prefixOf(address, bits).toString(16), hit);
    }
  }

  #placeOf(condition: TextCondition): { store: Store<V>; key: string; tree?: string } {
    switch (condition.kind) {
      case 'string':
        return { store: this.strings, key: condition.text };
      case 'equals':
        return { store: this.#folded, key: condition.text };
      case 'cidr': {
        const { width, bits, prefix } = condition.network;
        const store = getOrMake(this.#networks, `${width}/${bits}`, () => new MultiMap<string, V>());
        return { store, key: prefix.toString(16) };
      }
      default: {
        const { tree, key } = treeOf(condition);
        return { store: getOrMake(this.#trees, tree, () => new RadixTree<V>()), key, tree };
      }
    }
  }
}

interface Store<V> {
  readonly size: number;
  add(key: string, value: V): void;
  delete(key: string, value: V): void;
}

/** Which tree finds a condition, by which key. The trees whose name ends with `?` find more than what is satisfied. */
function treeOf(condition: PlacedCondition): { readonly tree: string; readonly key: string } {
  switch (condition.kind) {
    case 'prefix':
      return { tree: condition.fold ? 'prefix fold' : 'prefix', key: condition.text };
    case 'suffix':
      return { tree: condition.fold ? 'suffix fold' : 'suffix', key: reversed(condition.text) };
    case 'wildcard':
      return treeOfLiterals(condition.wildcard.literals);
    case 'glob':
      // `a.*` may match `a.b`, `a.**` also `a`: the dots beside stars are not certain.
      return treeOfLiterals(condition.text.split(/\*+/).map((part) => part.replace(/^\.|\.$/g, '')));
  }
}

/** A text with stars goes by what it begins with, or ends with, or has in its middle: whichever says most. */
function treeOfLiterals(literals: readonly string[]): { readonly tree: string; readonly key: string } {
  const longest = literals.reduce((a, b) => (b.length > a.length ? b : a));
  const enough = longest.length / 2;
  const [first, last] = [literals[0]!, literals.at(-1)!];
  if (first.length >= enough) return { tree: 'prefix?', key: first };
  if (last.length >= enough) return { tree: 'suffix?', key: reversed(last) };
  return { tree: 'within?', key: longest.slice(0, PROBE_LENGTH) };
}

function reversed(text: string): string {
  let result = '';
  for (let i = text.length - 1; i >= 0; i--) result += text[i];
  return result;
}

function getOrMake<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
