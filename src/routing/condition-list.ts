import type { Condition, NumberRange } from './condition.ts';
import { ExactNumber } from './exact-number.ts';
import { type IpNetwork, parseIp, prefixKey } from './ip-network.ts';
import type { ListedWildcards } from './listed-wildcards.ts';
import { NumberRanges } from './number-ranges.ts';
import { type Leaf, satisfies } from './satisfies.ts';
import { textNotes } from './text-notes.ts';

/**
 * How many steps of `matchSteps` it takes to look a value up, to do so for one more length of prefixes, suffixes or networks, and to fold a
 * text or read an address.
 */
const LOOK_UP_STEPS = 8;
const LENGTH_STEPS = 8;
const READING_STEPS = 16;

type Affix = Extract<Condition, { kind: 'prefix' | 'suffix' }>;

/**
 * Conditions of which a value is to satisfy one. A filter may list two thousand conditions, and an event may bring tens of thousands of
 * values. So a value is looked up wherever the kind of condition allows it, and the work is not the product of the two.
 */
export class ConditionList {
  readonly #texts = new Set<string>();
  readonly #folded = new Set<string>();
  readonly #numbers = new Set<number>();
  readonly #ranges: NumberRanges;
  readonly #affixes: AffixTable[] = [];
  /** The prefixes of networks, by family and length. */
  readonly #networks = new Map<number, Set<string>>();
  readonly #exceptions: ConditionList[] = [];
  readonly #others: Condition[] = [];

  constructor(conditions: readonly Condition[]) {
    const ranges: NumberRange[] = [];
    for (const condition of conditions) {
      if (condition.kind === 'range') ranges.push(condition);
      else this.#add(condition);
    }
    this.#ranges = new NumberRanges(ranges);
  }

  /** How many steps of `matchSteps` it takes to look a value up, without what wildcards read. */
  get steps(): number {
    let lengths = this.#networks.size;
    for (const { lengths: count } of this.#affixes) lengths += count;
    const isReading = this.#networks.size > 0 || this.#folded.size > 0 || this.#affixes.some(({ fold }) => fold);
    const own = LOOK_UP_STEPS + LENGTH_STEPS * lengths + (isReading ? READING_STEPS : 0) + this.#others.length;
    return this.#exceptions.reduce((sum, excluded) => sum + excluded.steps, own);
  }

  /** @param beside all listed wildcards of the path, those of this list among them */
  satisfiedBy(value: Leaf, beside: ListedWildcards | null = null): boolean {
    if (typeof value === 'string') {
      if (this.#hasText(value)) return true;
    } else if (typeof value === 'number' || value instanceof ExactNumber) {
      if ((typeof value === 'number' && this.#numbers.has(value)) || this.#ranges.has(value)) return true;
    }
    return (
      this.#others.some((condition) => satisfies(value, condition, beside)) ||
      this.#exceptions.some((excluded) => !excluded.satisfiedBy(value, beside))
    );
  }

  #add(condition: Exclude<Condition, NumberRange>): void {
    switch (condition.kind) {
      case 'string':
        this.#texts.add(condition.text);
        return;
      case 'equals':
        this.#folded.add(condition.text);
        return;
      case 'number':
        // A number of an event that a double does not hold equals no number of a filter, and is not looked for here.
        this.#numbers.add(condition.value);
        return;
      case 'prefix':
      case 'suffix':
        this.#affixTable(condition).add(condition.text);
        return;
      case 'cidr':
        this.#addNetwork(condition.network);
        return;
      case 'except':
        this.#exceptions.push(new ConditionList(condition.of));
        return;
      default:
        this.#others.push(condition);
    }
  }

  #affixTable({ kind, fold }: Affix): AffixTable {
    const known = this.#affixes.find((table) => table.kind === kind && table.fold === fold);
    if (known !== undefined) return known;
    const table = new AffixTable(kind, fold);
    this.#affixes.push(table);
    return table;
  }

  #addNetwork({ groups, bits }: IpNetwork): void {
    const key = (groups.length << 8) | bits;
    this.#networks.set(key, (this.#networks.get(key) ?? new Set()).add(prefixKey(groups, bits)));
  }

  #hasText(text: string): boolean {
    if (this.#texts.has(text)) return true;
    const isFolding = this.#folded.size > 0 || this.#affixes.some(({ fold }) => fold);
    const folded = isFolding ? textNotes.folded(text) : text;
    if (this.#folded.has(folded)) return true;
    return this.#affixes.some((table) => table.has(table.fold ? folded : text)) || this.#isWithin(text);
  }

  #isWithin(text: string): boolean {
    if (this.#networks.size === 0) return false;
    const address = parseIp(text);
    if (address === null) return false;
    for (const [key, prefixes] of this.#networks) {
      if (key >>> 8 === address.length && prefixes.has(prefixKey(address, key & 0xff))) return true;
    }
    return false;
  }
}

/** Prefixes, or suffixes, by their length: a filter has room for few lengths. */
class AffixTable {
  readonly kind: Affix['kind'];
  readonly fold: boolean;
  readonly #byLength = new Map<number, Set<string>>();

  constructor(kind: Affix['kind'], fold: boolean) {
    this.kind = kind;
    this.fold = fold;
  }

  get lengths(): number {
    return this.#byLength.size;
  }

  add(text: string): void {
    this.#byLength.set(text.length, (this.#byLength.get(text.length) ?? new Set()).add(text));
  }

  has(text: string): boolean {
    for (const [length, affixes] of this.#byLength) {
      if (length > text.length) continue;
      if (affixes.has(this.kind === 'prefix' ? text.slice(0, length) : text.slice(text.length - length))) return true;
    }
    return false;
  }
}
