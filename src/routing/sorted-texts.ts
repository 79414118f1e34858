import type { Condition } from './condition.ts';
import { matchSteps } from './match-steps.ts';
import type { Leaf } from './satisfies.ts';
import { endOf, type SortedKeys, sortingSteps, type ValueRun } from './sorted-keys.ts';
import { textNotes } from './text-notes.ts';

/** How many units of texts are compared in a step of `matchSteps` (32, as a power of 2). */
const UNITS_A_STEP = 5;

/** What texts are sorted by: as they are, turned round, and both with their case folded. */
const KEYS = {
  forwards: (text: string) => text,
  backwards: turnedRound,
  folded: (text: string) => textNotes.folded(text),
  foldedBackwards: (text: string) => turnedRound(textNotes.folded(text)),
};

export type TextOrder = keyof typeof KEYS;

/** The texts among the values of a path. */
export class SortedTexts implements SortedKeys {
  readonly #keys: readonly string[];
  readonly #nums: Int32Array;

  /** @param values each once */
  constructor(values: readonly Leaf[], order: TextOrder) {
    const keys = new Map<number, string>();
    let units = 0;
    for (const [num, value] of values.entries()) {
      if (typeof value !== 'string') continue;
      units += value.length;
      keys.set(num, KEYS[order](value));
    }
    const rounds = Math.ceil(Math.log2(keys.size + 1));
    matchSteps.take(values.length + units + sortingSteps(keys.size) + ((units * rounds) >>> UNITS_A_STEP));
    this.#nums = Int32Array.from(keys.keys()).sort((a, b) => compareTexts(keys.get(a)!, keys.get(b)!));
    this.#keys = Array.from(this.#nums, (num) => keys.get(num)!);
  }

  runOf(condition: Condition): ValueRun {
    switch (condition.kind) {
      case 'string':
      case 'equals':
        return this.#runFrom(condition.text, (key) => key === condition.text);
      case 'prefix':
        return this.#runFrom(condition.text, (key) => key.startsWith(condition.text));
      case 'suffix': {
        // To turn a text round takes at most a step for each unit.
        matchSteps.take(condition.text.length);
        const start = turnedRound(condition.text);
        return this.#runFrom(start, (key) => key.startsWith(start));
      }
      default:
        throw new Error('Texts are not sorted for such a condition.');
    }
  }

  #runFrom(first: string, isInside: (key: string) => boolean): ValueRun {
    const from = endOf(this.#keys, (key) => key < first);
    return { nums: this.#nums, from, to: endOf(this.#keys, isInside, from) };
  }
}

/** By UTF-16 units, so that texts with the same beginning are neighbours. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Unit by unit, also where two units are halves of one character: a suffix is compared by units too. */
function turnedRound(text: string): string {
  return text.split('').reverse().join('');
}
