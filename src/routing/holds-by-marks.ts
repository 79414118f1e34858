import type { IndexMemory } from './index-memory.ts';
import { matchSteps } from './match-steps.ts';
import { isCertain, isPlain, KIND } from './record-kind.ts';
import { HEAD, kindIn } from './record-table.ts';

/** The event at hand. */
export interface MarkedEvent {
  /** The mark of the records that its values found. */
  readonly mark: number;
  /** The `seq` of the paths at which it has values. */
  readonly seq: number;
}

/**
 * Whether the event's values satisfy one of several conditions of a field, each field for itself. It goes by the marks of the records that
 * the values found, so that no object is made of the list.
 * @param list its record
 * @returns null where it has conditions that values do not find by what they are
 */
export function holdsByMarks({ arena, conditions }: IndexMemory, list: number, event: MarkedEvent): boolean | null {
  const { words } = arena;
  const path = conditions.pathOf(list);
  const isPresent = path.seq === event.seq;
  // The same answer as of tests that are objects: where all values are in elements of arrays, another element may have none.
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
