import { expect, test } from 'vitest';
import { parseExactly } from './exact-number.ts';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { type FilterCase, filterCases } from './fixtures/filter-cases.ts';
import { referenceMatch } from './fixtures/reference-match.ts';
import { readFilter } from './read-filter.ts';

const textOf = (event: unknown) => (typeof event === 'string' ? event : JSON.stringify(event));

function clausesOf(filter: unknown) {
  const reading = readFilter(filter);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.clauses;
}

/** All filters of the table in one index: each event finds its own among the others. */
const index = new FilterIndex();
for (const [num, { filter }] of filterCases.entries()) {
  for (const clause of clausesOf(filter)) index.add(num, clause);
}

const pairs = filterCases.flatMap(({ says, filter, yes, no }, num) => [
  ...yes.map((event) => ({ says, filter, num, text: textOf(event), expected: true })),
  ...no.map((event) => ({ says, filter, num, text: textOf(event), expected: false })),
]);

test('the table has at least 300 cases', () => {
  expect(pairs.length).toBeGreaterThan(300);
});

test.each(pairs)('$says on $text: $expected', ({ filter, num, text, expected }) => {
  const event = parseExactly(text);
  expect(index.match(event).includes(num)).toBe(expected);
  expect(explainMatch(clausesOf(filter), event).length === 0).toBe(expected);
  expect(referenceMatch(filter, text)).toBe(expected);
});

/** What a filter of one condition says the other way round, where the language has words for it. */
function negationOf({ filter }: FilterCase): Record<string, unknown> | undefined {
  const [name, conditions] = Object.entries(filter as Record<string, unknown>)[0]!;
  if (!Array.isArray(conditions) || conditions.length !== 1 || Object.keys(filter as object).length !== 1)
    return undefined;
  const negated = negate(conditions[0]);
  return negated === undefined ? undefined : { [name]: [negated] };
}

function negate(condition: unknown): unknown {
  if (typeof condition === 'string' || typeof condition === 'number') return { 'anything-but': condition };
  if (typeof condition !== 'object' || condition === null) return undefined;
  const [operator, operand] = Object.entries(condition)[0] as [string, unknown];
  if (operator === 'exists') return { exists: operand === false };
  if (operator === 'anything-but') return isText(operand) || typeof operand === 'number' ? operand : undefined;
  if (operator === 'exactly') return { 'anything-but': operand };
  if (operator === 'numeric' && (operand as unknown[])[0] === '=') return { 'anything-but': (operand as unknown[])[1] };
  const isExcludable = ['prefix', 'suffix', 'wildcard', 'equals-ignore-case'].includes(operator) && isText(operand);
  return isExcludable && !(operand === '' && operator.endsWith('fix'))
    ? { 'anything-but': { [operator]: operand } }
    : undefined;
}

const isText = (value: unknown): value is string => typeof value === 'string';

// Of an array, both may be found; of nothing, neither but `exists`.
const isPlain = (text: string) => /^\{"[^"]*":[^[{]*\}$/.test(text);
const negated = filterCases.flatMap((one) => {
  const filter = negationOf(one);
  if (filter === undefined) return [];
  const events = [
    ...one.yes.map((event) => ({ event, expected: false })),
    ...one.no.map((event) => ({ event, expected: true })),
  ];
  return events
    .map(({ event, expected }) => ({ filter, text: textOf(event), expected, words: JSON.stringify(filter) }))
    .filter(
      ({ text, words }) =>
        words.includes('exists') || (isPlain(text) && JSON.parse(text)[Object.keys(filter)[0]!] !== undefined),
    );
});

test.each(negated)('negated: $words on $text: $expected', ({ filter, text, expected }) => {
  expect(explainMatch(clausesOf(filter), parseExactly(text)).length === 0).toBe(expected);
  expect(referenceMatch(filter, text)).toBe(expected);
});
