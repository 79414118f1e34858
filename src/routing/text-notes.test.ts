import { expect, test } from 'vitest';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { callsOf } from './fixtures/calls-of.ts';
import { ListedWildcards } from './listed-wildcards.ts';
import { readFilter } from './read-filter.ts';
import { LONG, textNotes } from './text-notes.ts';
import { matchesWildcard } from './wildcard.ts';

const reading = readFilter({ s: [{ 'anything-but': { wildcard: '*aaaaaaaaab*' } }] });
const clauses = reading.ok ? reading.clauses : [];
const index = new FilterIndex();
for (const clause of clauses) index.add(1, clause);

test.each([
  ['routed', (s: string) => index.match({ s })],
  ['explained', (s: string) => explainMatch(clauses, { s })],
])('what was found out of a text is forgotten with the event, once it is %s', (_, look) => {
  const text = 'a'.repeat(2 * LONG);
  const units = () => callsOf('charCodeAt', () => look(text));
  expect(units()).toBeGreaterThanOrEqual(text.length);
  expect(units()).toBeGreaterThanOrEqual(text.length);
});

/** Texts that all but have the wildcards below. */
const textsOf = (count: number, length: number) =>
  Array.from({ length: count }, (_, i) => `${'a'.repeat(length - 8)}${i}`.padEnd(length, 'b'));

test('of many long texts those are asked that must be, where many filters exclude wildcards', () => {
  const many = new FilterIndex();
  const lists = Array.from({ length: 100 }, (_, i) =>
    Array.from({ length: 50 }, (_, j) => `*${'a'.repeat(16)}x${i}y${j}*`),
  );
  for (const [i, wildcard] of lists.entries()) {
    const filter = readFilter({ items: { t: [{ 'anything-but': { wildcard } }] } });
    for (const clause of filter.ok ? filter.clauses : []) many.add(i, clause);
  }
  const wildcards = lists.flat();
  const items = textsOf(240, 1_024).map((t) => ({ t }));
  const match = () => expect(many.match({ items })).toHaveLength(lists.length);
  // Each by itself, as far as that goes, and all together for the one text that tells that nothing is excluded.
  expect(callsOf('startsWith', match)).toBeLessThanOrEqual(2 * wildcards.length);
  const apart = callsOf('charCodeAt', () => {
    for (const text of wildcards) matchesWildcard({ literals: ['', text.slice(1, -1), ''] }, items[0]!.t);
  });
  expect(callsOf('charCodeAt', match)).toBeLessThanOrEqual(apart);
});

/** Wildcards of a list, and how often they were made into a crowd. */
function listed(count: number, literalLength: number) {
  const literals = Array.from({ length: count }, (_, i) => `${'a'.repeat(literalLength)}x${i}`);
  const conditions = literals.map((literal) => ({
    kind: 'wildcard' as const,
    text: `*${literal}*`,
    wildcard: { literals: ['', literal, ''] },
  }));
  const made = { crowds: 0 };
  const beside = new ListedWildcards(() => {
    made.crowds++;
    return conditions;
  });
  beside.add(
    1,
    conditions.reduce((sum, { text }) => sum + text.length, 0),
  );
  const ask = (texts: readonly string[]) => {
    for (const text of texts) {
      for (const condition of conditions) {
        expect(textNotes.isLike(text, condition, beside)).toBe(text.includes(condition.wildcard.literals[1]!));
      }
    }
    textNotes.forget();
  };
  return { beside, conditions, made, ask };
}

test('wildcards that take longer to be made into a crowd than to be asked one by one are not', () => {
  const { made, ask } = listed(300, 300);
  ask(textsOf(1, 1_024));
  expect(made.crowds).toBe(0);
});

test('more wildcards than there is room for are asked one by one', () => {
  const { made, ask, beside } = listed(10, 100);
  beside.add(2, 2 ** 21);
  ask(['b'.repeat(8_000_000)]);
  expect(made.crowds).toBe(0);
});

test('a crowd is made once for many events, and anew once lists have changed or another was made', () => {
  const { made, ask, beside } = listed(300, 16);
  const texts = ['a'.repeat(10_000), `${'a'.repeat(10_000)}x7`];
  const readings = () => callsOf('charCodeAt', () => ask(texts));
  readings();
  // A dozen read all of a text, and look at four units at each place.
  expect(readings()).toBeLessThan(12 * 4 * texts.join('').length);
  expect(made.crowds).toBe(1);
  beside.add(2, 10);
  expect(beside.crowd).toBeNull();
  beside.delete(2);
  ask(texts);
  expect(made.crowds).toBe(2);
  const other = listed(300, 17);
  other.ask(texts);
  expect([beside.crowd, other.beside.crowd?.size]).toEqual([null, 300]);
});

test('a text of which little is asked is not read for all wildcards, though they are made into a crowd', () => {
  const { beside, ask, conditions } = listed(300, 16);
  ask(['a'.repeat(12_000)]);
  expect(beside.crowd?.size).toBe(300);
  const few = () => conditions.slice(0, 5).map((condition) => textNotes.isLike('a'.repeat(12_001), condition, beside));
  expect(callsOf('startsWith', few)).toBe(5);
  textNotes.forget();
});

test('where there is no room for the answers of a crowd, wildcards are asked one by one', () => {
  const { ask } = listed(300, 16);
  const texts = textsOf(2, 12_000);
  const asked = () => callsOf('startsWith', () => ask(texts));
  expect(asked()).toBeGreaterThan(2 * 300);
  for (let i = 0; i < 100_000; i++) {
    textNotes.isLike('b'.repeat(LONG), { kind: 'wildcard', text: `${i}`, wildcard: { literals: [`${i}`] } }, null);
  }
  expect(asked()).toBe(2 * 300);
});
