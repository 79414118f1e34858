import { expect, test } from 'vitest';
import { parseExactly } from './exact-number.ts';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { callsOf } from './fixtures/calls-of.ts';
import { readFilter } from './read-filter.ts';
import { tellingLiteral } from './telling-literal.ts';

// Each of these would take minutes or more if something were tried again and again; the time limit of the test is what tells.

function indexOf(...filters: readonly unknown[]): FilterIndex {
  const index = new FilterIndex();
  for (const [num, filter] of filters.entries()) {
    const reading = readFilter(filter);
    if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
    for (const clause of reading.clauses) index.add(num, clause);
  }
  return index;
}

test('a wildcard with many stars over a text that nearly fits', () => {
  const index = indexOf(
    { a: [{ wildcard: `${'*a'.repeat(15)}*b` }] },
    { a: [{ wildcard: '*a*a*a*a*a*b' }] },
    { a: [{ wildcard: '*a*a*' }] },
  );
  expect(index.match({ a: 'a'.repeat(100_000) })).toEqual([2]);
  const half = 'a'.repeat(4_000);
  const long = indexOf({ a: [{ wildcard: `*${half}b*` }] }, { a: [{ wildcard: `*${half}*` }] });
  expect(long.match({ a: 'a'.repeat(250_000) })).toEqual([1]);
});

test('thousands of filters over a text that begins, ends and goes on as they do', () => {
  const letters = Array.from({ length: 5_000 }, (_, i) => 'a'.repeat(1 + (i % 50)) + String(i));
  const index = indexOf(
    ...letters.flatMap((text) => [
      { p: [{ prefix: text }] },
      { p: [{ suffix: text }] },
      { p: [{ wildcard: `*${text}*` }] },
    ]),
  );
  expect(index.match({ p: 'a'.repeat(100_000) })).toEqual([]);
});

test('hundreds of wildcards with literals of as many lengths over a text that all but has them', () => {
  const literals = Array.from({ length: 600 }, (_, i) => `${'a'.repeat(i + 1)}b`);
  const index = indexOf(...literals.map((text) => ({ p: [{ wildcard: `*${text}*` }] })));
  expect(index.match({ p: 'a'.repeat(250_000) })).toEqual([]);
  expect(index.match({ p: `${'a'.repeat(250_000)}b` })).toHaveLength(600);
  expect(index.match({ p: `${'a'.repeat(100)}b` })).toHaveLength(100);
});

test('thousands of wildcards that begin alike are asked in one walk over the text', () => {
  const wildcards = Array.from({ length: 2_000 }, (_, i) => `*${'a'.repeat(16)}${i}*`);
  const index = indexOf(...wildcards.map((wildcard) => ({ p: [{ wildcard }] })));
  const text = 'a'.repeat(20_000);
  expect(callsOf('charCodeAt', () => expect(index.match({ p: text })).toEqual([]))).toBeLessThan(10 * text.length);
  expect(index.match({ p: `${text}12` })).toEqual([1, 12]);
});

test('what many filters exclude by wildcards, or have as alternatives, is asked in one walk over a long text', () => {
  const wildcards = (i: number) => Array.from({ length: 50 }, (_, j) => `*${'a'.repeat(16)}${i}x${j}*`);
  const filters = Array.from({ length: 40 }, (_, i) => ({
    t: [`t${i}`, { prefix: 'u' }],
    s: i % 2 === 0 ? [{ 'anything-but': { wildcard: wildcards(i) } }] : wildcards(i).map((wildcard) => ({ wildcard })),
  }));
  const index = new FilterIndex();
  const clauses = filters.map((filter) => {
    const reading = readFilter(filter);
    return reading.ok ? reading.clauses[0]! : [];
  });
  for (const [i, clause] of clauses.entries()) index.add(i, clause);
  const expected = (event: unknown) =>
    [...clauses.keys()].filter((i) => explainMatch([clauses[i]!], event).length === 0);
  const long = 'a'.repeat(20_000);
  const t = filters.map((_, i) => `t${i}`);
  const texts = [long, `${long}4x7`, [`${long}4x7`, `${long}11x0`], [`${long}2x1${long}5x49`, 'a']];
  for (const { s, wanted } of texts.map((s) => ({ s, wanted: expected({ t, s }) }))) {
    let found: readonly number[] = [];
    const read = callsOf('charCodeAt', () => (found = index.match({ t, s })));
    // Two lists at the most are read one by one, at a few units a character.
    expect(read).toBeLessThan(500 * [s].flat().join('').length);
    expect(found).toEqual(wanted);
  }
});

test('as many lengths of literals are looked up at a place of a text as there are units in a probe', () => {
  const lengths = Array.from({ length: 300 }, (_, i) => i + 1);
  const telling = lengths.map((length) => {
    const literals = ['', 'a'.repeat(length), ''];
    return tellingLiteral({ kind: 'wildcard', text: '', wildcard: { literals } }).text.length;
  });
  expect(new Set(telling).size).toBe(16);
});

test('arrays of many objects, of which one in the end has all fields', () => {
  const fields = ['f', 'g', 'h', 'i'];
  const filter = { e: Object.fromEntries(fields.map((name) => [name, ['x']])) };
  const missing = { e: { f: ['x'], g: ['x'], no: [{ exists: false }], never: [{ exists: false }] } };
  const element = (i: number) => ({
    ...Object.fromEntries(fields.map((name, j) => [name, j === i % 4 ? 'y' : 'x'])),
    no: 1,
  });
  const many = Array.from({ length: 20_000 }, (_, i) => element(i));
  const index = indexOf(filter, missing);
  expect(index.match({ e: many })).toEqual([]);
  expect(index.match({ e: [...many, { f: 'x', g: 'x', h: 'x', i: 'x' }] })).toEqual([0, 1]);
});

/** The path a.b.c.d.e in all its 16 spellings, each with an array of as many elements as there are fields, with one field each. */
function manySpellings(fields: number): unknown {
  const event: Record<string, unknown> = {};
  for (let bits = 0; bits < 16; bits++) {
    const keys = ['a', 'b', 'c', 'd', 'e']
      .reduce((path, name, i) => `${path}${(bits >> (i - 1)) & 1 ? '.' : '|'}${name}`)
      .split('|');
    let at = event;
    for (const key of keys.slice(0, -1)) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[keys.at(-1)!] = Array.from({ length: fields }, (_, i) => ({ [`f${i}`]: 'x' }));
  }
  return event;
}

test('the same path by many spellings, with an array at each: all ways are tried while they are few', () => {
  const filter = (fields: number) => ({
    'a.b.c.d.e': Object.fromEntries(Array.from({ length: fields }, (_, i) => [`f${i}`, ['x']])),
  });
  expect(indexOf(filter(8)).match(manySpellings(8))).toEqual([0]);
  expect(indexOf(filter(8)).match(manySpellings(7))).toEqual([]);
  expect(indexOf(filter(29)).match(manySpellings(28))).toEqual([]);
});

test('numbers of many digits and of great exponents', () => {
  const index = indexOf({ a: [{ numeric: ['>', 1e300] }] }, { a: [0] });
  const digits = '9'.repeat(200_000);
  expect(index.match(parseExactly(`{"a":${digits}}`))).toEqual([0]);
  expect(index.match(parseExactly(`{"a":0.${'0'.repeat(200_000)}1}`))).toEqual([]);
  expect(index.match(parseExactly(`{"a":1e${digits}}`))).toEqual([0]);
  expect(index.match(parseExactly(`{"a":-1e${digits}}`))).toEqual([]);
  expect(index.match(parseExactly(`{"a":1e-${digits}}`))).toEqual([]);
  expect(index.match(parseExactly(`{"a":0e${digits}}`))).toEqual([1]);
});

test('an array of many values at a place where many filters part', () => {
  const index = indexOf(...Array.from({ length: 5_000 }, (_, i) => ({ t: [`v${i}`], n: [{ numeric: ['>', i] }] })));
  const values = Array.from({ length: 20_000 }, (_, i) => `v${i + 4_990}`);
  expect(index.match({ t: values, n: 4_995 })).toEqual([4_990, 4_991, 4_992, 4_993, 4_994]);
});

test('thousands of values against filters that list thousands of others', () => {
  const listed = (i: number) => Array.from({ length: 1_900 }, (_, k) => `${i}${(k * 40).toString(36)}`);
  const numbers = (i: number) => Array.from({ length: 1_900 }, (_, k) => k * 100 + i);
  const values = Array.from({ length: 60_000 }, (_, k) => (k % 2 === 0 ? 'v' : 'w'));
  const index = indexOf(
    ...Array.from({ length: 100 }, (_, i) => ({ a: [...numbers(i), { exists: false }] })),
    ...Array.from({ length: 100 }, (_, i) => ({ a: [{ 'anything-but': { prefix: [...listed(i), 'v', 'w'] } }] })),
  );
  expect(index.match({ a: values })).toEqual([]);
});

test('thousands of filters whose fields are all there, but in no element together', () => {
  const filters = Array.from({ length: 3_000 }, (_, i) => ({ e: { f: ['x', `x${i}`], g: ['x'] } }));
  const elements = Array.from({ length: 8_000 }, (_, i) => (i % 2 === 0 ? { f: 'x', g: 'y' } : { f: 'y', g: 'x' }));
  const index = indexOf(...filters);
  expect(index.match({ e: elements })).toEqual([]);
  expect(index.match({ e: [...elements, { f: 'x', g: 'x' }] })).toHaveLength(3_000);
});

test('thousands of filters whose fields are all there, in arrays of arrays, or where one must be missing', () => {
  const filters = Array.from({ length: 3_000 }, (_, i) => [
    { items: { sku: ['a', `k${i}`], t: { x: ['b', `k${i}`] } } },
    { items: { sku: ['a', `k${i}`], t: { x: ['c', `k${i}`] }, no: [{ exists: false }] } },
  ]).flat();
  const elements = Array.from({ length: 8_000 }, (_, i) =>
    i % 2 === 0 ? { sku: 'a', no: 1, t: [{ x: 'c' }] } : { sku: 'b', t: [{ x: 'b' }] },
  );
  const index = indexOf(...filters);
  expect(index.match({ items: elements })).toEqual([]);
  expect(index.match({ items: [...elements, { sku: 'a', t: [{ x: 'b' }, { x: 'c' }] }] })).toHaveLength(6_000);
  expect(index.match({ items: [...elements, { sku: 'k5', t: [{ x: 'b' }] }] })).toEqual([10]);
});

test('hundreds of alternatives over a long text in any case, which is folded once for all of them', () => {
  const names = (i: number) => [`k${i}`, `l${i}`];
  const index = indexOf(
    { $or: Array.from({ length: 100 }, (_, i) => ({ s: [{ 'anything-but': { 'equals-ignore-case': names(i) } }] })) },
    { s: names(1).map((name) => ({ 'equals-ignore-case': name })) },
  );
  const text = 'É'.repeat(20_000);
  for (const s of [text, [`${text}1`, `${text}2`]]) {
    const folded = callsOf('toUpperCase', () => expect(index.match({ s })).toEqual([0]));
    expect(folded).toBeLessThanOrEqual(1.01 * [s].flat().join('').length);
  }
});
