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

/** What a filter of one field says the other way round of a value that is there, where the language has words for it. */
function negationOf({ filter }: FilterCase): Record<string, unknown> | undefined {
  const fields = Object.entries(filter as Record<string, unknown>);
  const [name, conditions] = fields[0]!;
  if (fields.length !== 1 || !Array.isArray(conditions)) return undefined;
  const negated = conditions.length === 1 ? negate(conditions[0]) : negateAll(conditions);
  return negated === undefined ? undefined : { [name]: negated };
}

function negateAll(conditions: readonly unknown[]): unknown[] | undefined {
  return conditions.every(isText) || conditions.every(isNumber) ? [{ 'anything-but': conditions }] : undefined;
}

function negate(condition: unknown): unknown[] | undefined {
  if (isText(condition) || isNumber(condition)) return [{ 'anything-but': condition }];
  if (typeof condition !== 'object' || condition === null) return undefined;
  const [operator, operand] = Object.entries(condition)[0] as [string, unknown];
  if (operator === 'exists') return [{ exists: operand === false }];
  if (operator === 'anything-but') return excludedBy(operand);
  if (operator === 'exactly') return [{ 'anything-but': operand }];
  if (operator === 'numeric') return outside(operand as readonly [string, number]);
  const isExcludable = ['prefix', 'suffix', 'wildcard', 'equals-ignore-case'].includes(operator) && isText(operand);
  return isExcludable && !(operand === '' && operator.endsWith('fix'))
    ? [{ 'anything-but': { [operator]: operand } }]
    : undefined;
}

function excludedBy(operand: unknown): unknown[] {
  if (Array.isArray(operand)) return operand;
  if (typeof operand !== 'object' || operand === null) return [operand];
  const [operator, texts] = Object.entries(operand)[0] as [string, unknown];
  return [texts].flat().map((text) => ({ [operator]: text }));
}

const OPPOSITE: Readonly<Record<string, string>> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' };

/** Of numbers; what is none is in no range and outside none. */
function outside(operand: readonly [string, number, ...unknown[]]): unknown[] {
  const [operator, bound, ...rest] = operand;
  if (operator === '=') return [{ 'anything-but': bound }];
  const first = { numeric: [OPPOSITE[operator], bound] };
  return rest.length === 0 ? [first] : [first, ...outside(rest as unknown as readonly [string, number])];
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';

/** Of an array both may be found, of nothing neither but `exists`, and of what is no number no range. */
function isNegated(words: string, name: string, text: string): boolean {
  if (words.includes('exists')) return true;
  const isPlain = /^\{"[^"]*":[^[{]*\}$/.test(text);
  const value = isPlain ? JSON.parse(text)[name] : undefined;
  return value !== undefined && (isNumber(value) || !words.includes('"numeric"'));
}

const negated = filterCases.flatMap((one, num) => {
  const filter = negationOf(one);
  if (filter === undefined) return [];
  const events = [
    ...one.yes.map((event) => ({ event, expected: false })),
    ...one.no.map((event) => ({ event, expected: true })),
  ];
  const words = JSON.stringify(filter);
  return events
    .map(({ event, expected }) => ({ filter, num, text: textOf(event), expected, words }))
    .filter(({ text }) => isNegated(words, Object.keys(filter)[0]!, text));
});

/** All of them in one index, as the cases are in theirs. */
const negatedIndex = new FilterIndex();
for (const [num, filter] of new Map(negated.map((one) => [one.num, one.filter]))) {
  for (const clause of clausesOf(filter)) negatedIndex.add(num, clause);
}

test('of the cases about one field at least 300 are run the other way round too', () => {
  expect(negated.length).toBeGreaterThan(300);
});

test.each(negated)('negated: $words on $text: $expected', ({ filter, num, text, expected }) => {
  const event = parseExactly(text);
  expect(negatedIndex.match(event).includes(num)).toBe(expected);
  expect(explainMatch(clausesOf(filter), event).length === 0).toBe(expected);
  expect(referenceMatch(filter, text)).toBe(expected);
});
