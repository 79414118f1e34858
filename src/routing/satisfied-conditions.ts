import type { IndexMemory } from './index-memory.ts';
import { matchSteps } from './match-steps.ts';
import type { PathNode } from './path-node.ts';
import { KIND } from './record-kind.ts';
import { HEAD, kindIn } from './record-table.ts';
import { PROBE, ValueProbes } from './value-probes.ts';
import { matchesOfCrowd } from './wildcard-crowd.ts';

/** Words of a cache line: most records are in two. */
const LINE = 16;
const INITIAL = 16;
const KEPT = 4_096;
/**
 * How many steps of `matchSteps` it takes to ask a wildcard of a text, and how many units the wildcard reads in one step (2, given as a
 * power of 2).
 */
const WILDCARD_STEPS = 6;
const UNITS_A_STEP = 1;
/** How many units of a text wildcards may read one by one: if it would be more, they read the text together. */
const READ_APART = 1_000_000;

/**
 * Finds the conditions that the values of an event satisfy, of those that values find by a lookup. Their records are marked, and those that
 * lead on in the tree are listed.
 *
 * Each step is done for all values before the next step is begun, and each first reads what the next will need. Memory answers many
 * questions at once as fast as one, so that a million conditions take little longer than a thousand.
 */
export class SatisfiedConditions {
  ids = new Int32Array(INITIAL);
  /** The bit of the path of each of `ids`. */
  bits = new Int32Array(INITIAL);
  count = 0;
  #mark = 0;
  readonly #memory: IndexMemory;
  readonly #probes: ValueProbes;
  /** Literals that were met in the value at hand already. */
  readonly #met = new Set<number>();
  #metIn = -1;
  /** Wildcards that the value at hand may satisfy. */
  #candidates: number[] = [];
  /** Adds up what was read only to bring it into the cache. */
  #warmth = 0;

  constructor(memory: IndexMemory) {
    this.#memory = memory;
    this.#probes = new ValueProbes(
      memory.conditions.hash,
      () => this.#lookUp(),
      (record) => this.#add(record),
    );
  }

  /** @param mark the mark of the event */
  find(touched: readonly PathNode[], mark: number): void {
    this.count = 0;
    this.#mark = mark;
    this.#probes.mark = mark;
    for (const path of touched) for (const value of path.values) this.#probes.add(path, value);
    this.#lookUp();
    this.#askCandidates();
  }

  /** Lets go of the event. */
  release(): void {
    this.#probes.clear();
    this.#met.clear();
    this.#metIn = -1;
    this.#candidates = [];
    if (this.ids.length <= KEPT) return;
    this.ids = new Int32Array(INITIAL);
    this.bits = new Int32Array(INITIAL);
  }

  #lookUp(): void {
    matchSteps.take(2 * this.#probes.count);
    this.#warmSlots();
    this.#guess();
    this.#verify();
  }

  #warmSlots(): void {
    const { words, count } = this.#probes;
    const { slots } = this.#memory.conditions.table;
    const end = slots.length - 1;
    let warmth = 0;
    for (let at = 0; at < count * PROBE.words; at += PROBE.words) warmth ^= slots[(words[at]! << 1) & end]!;
    this.#warmth ^= warmth;
  }

  #guess(): void {
    const { words, count } = this.#probes;
    const { arena, conditions } = this.#memory;
    const records = arena.words;
    let warmth = 0;
    for (let at = 0; at < count * PROBE.words; at += PROBE.words) {
      const record = conditions.table.guess(words[at]!);
      words[at + PROBE.record] = record;
      warmth ^= records[record]! ^ records[record + LINE]!;
    }
    this.#warmth ^= warmth;
  }

  #verify(): void {
    const { words, count, buffer } = this.#probes;
    const { table } = this.#memory.conditions;
    for (let at = 0; at < count * PROBE.words; at += PROBE.words) {
      if (words[at + PROBE.record] === 0) continue;
      const tag = words[at + PROBE.tag]!;
      const record = table.find(words[at]!, tag, buffer.units, words[at + PROBE.from]!, words[at + PROBE.length]!);
      if (record === 0) continue;
      if (kindIn(tag) >= KIND.atStart) this.#askChain(record, words[at + PROBE.value]!);
      else this.#add(record);
    }
  }

  /** Notes that the wildcards and globs that the literal leads to are to be asked: once for a value, however often the literal is in it. */
  #askChain(literal: number, value: number): void {
    if (value !== this.#metIn) {
      this.#askCandidates();
      this.#met.clear();
      this.#metIn = value;
    }
    if (this.#met.has(literal)) return;
    this.#met.add(literal);
    const { words } = this.#memory.arena;
    for (let record = words[literal + HEAD.next]!; record !== 0; record = words[record + HEAD.next]!) {
      if (words[record + HEAD.mark] !== this.#mark) this.#candidates.push(record);
    }
  }

  #askCandidates(): void {
    const candidates = this.#candidates;
    if (candidates.length === 0) return;
    this.#candidates = [];
    const { conditions } = this.#memory;
    const text = this.#probes.texts[this.#metIn]!;
    if (candidates.length * text.length <= READ_APART) {
      matchSteps.take(candidates.length * (WILDCARD_STEPS + (text.length >>> UNITS_A_STEP)));
      for (const record of candidates) if (conditions.isSatisfied(record, text)) this.#add(record);
      return;
    }
    const wildcards = candidates.filter((record) => conditions.kindOf(record) === KIND.wildcard);
    const answers = matchesOfCrowd(
      wildcards.map((record) => conditions.wildcardOf(record).wildcard),
      text,
    );
    for (const [i, record] of wildcards.entries()) if (answers[i]) this.#add(record);
    for (const record of candidates) {
      if (conditions.kindOf(record) === KIND.glob && conditions.isSatisfied(record, text)) this.#add(record);
    }
  }

  #add(record: number): void {
    const { arena, conditions } = this.#memory;
    const { words } = arena;
    if (words[record + HEAD.mark] === this.#mark) return;
    words[record + HEAD.mark] = this.#mark;
    if (words[record + HEAD.edges] === 0) return;
    if (this.count === this.ids.length) this.#grow();
    this.ids[this.count] = record;
    this.bits[this.count] = conditions.pathOf(record).bit;
    this.count++;
  }

  #grow(): void {
    const [ids, bits] = [this.ids, this.bits];
    this.ids = new Int32Array(ids.length * 2);
    this.bits = new Int32Array(bits.length * 2);
    this.ids.set(ids);
    this.bits.set(bits);
  }
}
