import { expect, test } from 'vitest';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { callsOf } from './fixtures/calls-of.ts';
import { readFilter } from './read-filter.ts';
import { LONG } from './text-notes.ts';

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
