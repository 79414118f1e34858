import type { Condition, NumberRange } from './condition.ts';
import { compareNumbers, type EventNumber, ExactNumber } from './exact-number.ts';
import { isWithin, parseIp } from './ip-network.ts';
import type { ListedWildcards } from './listed-wildcards.ts';
import { textNotes } from './text-notes.ts';
import { matchesType } from './type-pattern.ts';

/** A value of an event that is no object and no array. */
export type Leaf = string | EventNumber | boolean | null;

/**
 * Whether one value of the event is what the condition asks for.
 * @param beside all listed wildcards of the path, those of the condition among them; null where they are not listed
 */
export function satisfies(value: Leaf, condition: Condition, beside: ListedWildcards | null = null): boolean {
  switch (condition.kind) {
    case 'exists':
      return true;
    case 'absent':
      return false;
    case 'except':
      return !condition.of.some((excluded) => satisfies(value, excluded, beside));
    case 'literal':
      return value === condition.value;
    case 'number':
      return isNumber(value) && compareNumbers(value, condition.value) === 0;
    case 'range':
      return isNumber(value) && isInRange(value, condition);
    default:
      return typeof value === 'string' && textSatisfies(value, condition, beside);
  }
}

type TextCondition = Exclude<
  Condition,
  { kind: 'exists' | 'absent' | 'except' | 'literal' | 'number' } | { kind: 'range' }
>;

function textSatisfies(value: string, condition: TextCondition, beside: ListedWildcards | null): boolean {
  switch (condition.kind) {
    case 'string':
      return value === condition.text;
    case 'equals':
      return textNotes.folded(value) === condition.text;
    case 'prefix':
      return (condition.fold ? textNotes.folded(value) : value).startsWith(condition.text);
    case 'suffix':
      return (condition.fold ? textNotes.folded(value) : value).endsWith(condition.text);
    case 'wildcard':
      return textNotes.isLike(value, condition, beside);
    case 'glob':
      return matchesType(condition.text, value);
    case 'cidr': {
      const address = parseIp(value);
      return address !== null && isWithin(address, condition.network);
    }
  }
}

function isNumber(value: Leaf): value is EventNumber {
  return typeof value === 'number' || value instanceof ExactNumber;
}

function isInRange(value: EventNumber, { low, lowOpen, high, highOpen }: NumberRange): boolean {
  const above = low === -Infinity ? 1 : compareNumbers(value, low);
  if (above < 0 || (above === 0 && lowOpen)) return false;
  const below = high === Infinity ? -1 : compareNumbers(value, high);
  return below < 0 || (below === 0 && !highOpen);
}
