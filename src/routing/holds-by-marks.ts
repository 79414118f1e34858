import type { IndexMemory } from './index-memory.ts';
import { matchSteps } from './match-steps.ts';
import { isCertain, isPlain, KIND } from './record-kind.ts';
import { HEAD, kindIn } from './record-table.ts';

/** The event at hand. */
export interface MarkedEvent {
  /** What the records have that its values found. */
  readonly mark: number;
  /** What the paths have that it has values at. */
  readonly seq: number;
}

/**
 * Whether the event's values satisfy one of several conditions of a field, each field for itself, by what its values found: nothing is made for it.
 * @param list its record
 * @returns null where it has conditions that values do not find by what they are
 */
export function holdsByMarks({ arena, conditions }: IndexMemory, list: number, event: MarkedEvent): boolean | null {
  const { words } = arena;
  const path = conditions.pathOf(list);
  const isPresent = path.seq === event.seq;
  // As tests that are objects have it: values in elements of arrays may all be in others.
  const mayBeAbsent = !isPresent || path.inArrays === path.values.length;
  const { units, from, length } = conditions.table.unitsOf(list);
  // Two units a condition, and so many steps.
  matchSteps.take(length);
  for (let at = from; at < from + length; at += 2) {
    const record = units[at]! | (units[at + 1]! << 16);
    const kind = kindIn(words[record]!);
    if (!isPlain(kind)) return null;
    if (kind === KIND.absent ? mayBeAbsent : kind === KIND.exists && isPresent) return true;
    if (isCertain(kind) && words[record + HEAD.mark] === event.mark) return true;
  }
  return false;
}
