import type { Condition } from './condition.ts';
import { KIND } from './record-kind.ts';

/** How much of a literal is looked for at every place of a text, at most: at each place there are as many lookups as there are lengths. */
const PROBE_LENGTH = 16;

export interface TellingLiteral {
  readonly kind: typeof KIND.atStart | typeof KIND.atEnd | typeof KIND.within;
  readonly text: string;
}

/**
 * The literal by which texts find a wildcard or a glob: what it begins with, or ends with, if that is at least half as long as its longest
 * literal; else the longest.
 */
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
  // `a.*` matches `a.b`, but `a.**` also matches `a`: a dot beside stars need not be in the text.
  return condition.text.split(/\*+/).map((part) => part.replace(/^\.|\.$/g, ''));
}
