import type { Condition } from './condition.ts';
import { KIND } from './record-kind.ts';

/** Longest part of a literal that is looked for at every place of a text: as many lengths are looked up at each. */
const PROBE_LENGTH = 16;

export interface TellingLiteral {
  readonly kind: typeof KIND.atStart | typeof KIND.atEnd | typeof KIND.within;
  readonly text: string;
}

/** A text with stars goes by what it begins with, or ends with, or has in its middle: whichever says most. */
export function tellingLiteral(condition: Condition): TellingLiteral {
  const literals = literalsOf(condition);
  const longest = literals.reduce((a, b) => (b.length > a.length ? b : a));
  const enough = longest.length / 2;
  const [first, last] = [literals[0]!, literals.at(-1)!];
  if (first.length >= enough) return { kind: KIND.atStart, text: first };
  if (last.length >= enough) return { kind: KIND.atEnd, text: last };
  return { kind: KIND.within, text: longest.slice(0, PROBE_LENGTH) };
}

function literalsOf(condition: Condition): readonly string[] {
  if (condition.kind === 'wildcard') return condition.wildcard.literals;
  if (condition.kind !== 'glob') return [''];
  // `a.*` may match `a.b`, `a.**` also `a`: the dots beside stars are not certain.
  return condition.text.split(/\*+/).map((part) => part.replace(/^\.|\.$/g, ''));
}
