import { expect, test, vi } from 'vitest';
import { Conditions } from './conditions.ts';
import { parseExactly } from './exact-number.ts';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { callsOf } from './fixtures/calls-of.ts';
import type { IndexedTest } from './indexed-test.ts';
import { IntervalTrees } from './interval-trees.ts';
import { MAX_MATCH_STEPS, matchSteps, TooCostlyToMatch } from './match-steps.ts';
import { readFilter } from './read-filter.ts';

function clausesOf(filter: unknown) {
  const reading = readFilter(filter);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.clauses;
}

function indexOf(filters: readonly unknown[]): FilterIndex {
  const index = new FilterIndex();
  for (const [num, filter] of filters.entries()) for (const clause of clausesOf(filter)) index.add(num, clause);
  return index;
}

const list = <T>(length: number, make: (i: number) => T) => Array.from({ length }, (_, i) => make(i));

interface Case {
  readonly filters: readonly unknown[];
  /** Costs too much. */
  readonly event: unknown;
  /** Does not. */
  readonly other: unknown;
}

const withFirst = (first: unknown, others: readonly unknown[]) => [first, ...others];

/** The worst that are known, as large as it takes. */
const COSTLY: Readonly<Record<string, Case>> = {
  'networks that an event may satisfy by having nothing': {
    filters: withFirst(
      { n: ['z'] },
      list(200, (i) => ({ n: [{ cidr: `10.0.${i}.0/24` }, { exists: false }] })),
    ),
    event: { n: list(20_000, (i) => `v${i}`) },
    other: { n: ['z'] },
  },
  'wildcards that many short texts begin as': {
    filters: list(1_000, (i) => ({ a: [{ wildcard: `*aaaaa*${i}x*` }] })),
    event: { a: list(5_000, (i) => `aaaaaaa${i}`) },
    other: { a: 'aaaaa0x' },
  },
  'wildcards that many texts have the telling part of': {
    filters: list(3_000, (i) => ({ a: [{ wildcard: `*${'a'.repeat(20)}*${i}x*` }] })),
    event: { a: list(600, (i) => `${'a'.repeat(400)}${i}`) },
    other: { a: `${'a'.repeat(20)}0x` },
  },
  'more wildcards in lists than are made into one walk, over a long text': {
    filters: list(1_000, (i) => ({
      p: [{ 'anything-but': { wildcard: list(45, (k) => `*${'a'.repeat(60)}${i}x${i === 0 ? 'y' : ''}${k}*`) } }],
    })),
    event: { p: `${'a'.repeat(200_000)}b` },
    other: { p: 'b' },
  },
  'fields of elements, one of which must be absent': {
    filters: withFirst(
      { e: { f: [-5] } },
      list(2_000, (i) => ({
        e: { f: [{ numeric: ['>', i / 2] }], g: [{ numeric: ['<', i / 2] }], h: [{ exists: false }] },
      })),
    ),
    event: { e: list(8_000, (i) => ({ f: i, g: i, h: 1 })) },
    other: { e: [{ f: -5, g: 2_000, h: 1 }] },
  },
  'fields of elements, which other elements satisfy for each filter': {
    filters: list(3_000, (i) => ({ e: { f: [{ numeric: ['>', i] }], g: [{ numeric: ['<', i === 0 ? 1e6 : i] }] } })),
    event: { e: list(10_000, (i) => ({ f: i + 1, g: i + 1 })) },
    other: { e: [{ f: 1, g: 100_000 }] },
  },
};

interface Many {
  readonly filters: readonly unknown[];
  readonly event: unknown;
  /** How many filters it satisfies. */
  readonly found: number;
}

/** Conditions that a run of sorted values satisfies: however many there are, and of however many values. */
const LOOKED_UP: Readonly<Record<string, Many>> = {
  'prefixes, suffixes and ranges of a field of 40,000 line items': {
    filters: list(1_000, (i) => ({
      type: ['order'],
      items: [{ sku: [{ prefix: `sku-${i}` }] }, { sku: [{ suffix: `${i}` }] }, { price: [{ numeric: ['>', i] }] }][
        i % 3
      ],
    })),
    event: { type: 'order', items: list(40_000, (i) => ({ sku: `sku-${i}`, price: i })) },
    found: 1_000,
  },
  'prefixes that are excluded, of values that all have one': {
    filters: withFirst(
      { n: [{ 'anything-but': { prefix: 'v' } }] },
      list(1_000, (i) => ({ n: [{ 'anything-but': { prefix: ['v', 'z', `w${i}`] } }] })),
    ),
    event: { n: list(20_000, (i) => `v${i}`) },
    found: 0,
  },
  'lists that an event may satisfy by having nothing': {
    filters: withFirst(
      { n: ['z'] },
      list(1_000, (i) => ({ n: [{ prefix: `w${i}` }, { exists: false }] })),
    ),
    event: { n: list(20_000, (i) => `v${i}`) },
    found: 0,
  },
  'lists of excluded prefixes, of values that all have one': {
    filters: withFirst(
      { n: ['z'] },
      list(300, (i) => ({ n: [{ 'anything-but': { prefix: ['v', 'z', ...list(10, (k) => `w${i}-${k}`)] } }] })),
    ),
    event: { n: list(20_000, (i) => `v${i}`) },
    found: 0,
  },
  'ranges that end at the double of thousands of numbers, which have other digits': {
    filters: list(2_000, (i) => ({ n: [{ numeric: ['>', -1 - i, ...(i % 2 === 0 ? ['<=', 0.1] : ['<', 0.1])] }] })),
    event: parseExactly(`{"n":[${list(4_000, (i) => `0.1${'0'.repeat(17)}${1 + i}`).join()},0.1]}`),
    found: 1_000,
  },
  'ranges that numbers are in, all in many': {
    filters: list(1_000, (i) => ({ n: [{ numeric: ['>', i === 0 ? -10 : 0, '<', 1e9 - i] }] })),
    event: { n: list(20_000, (i) => i + 1) },
    found: 1_000,
  },
};

test.each(Object.entries(LOOKED_UP))(
  'an event of many values takes a part of what it may: %s',
  (_, { filters, event, found }) => {
    expect(indexOf(filters).match(event, MAX_MATCH_STEPS / 2)).toHaveLength(found);
  },
);

const cases = Object.entries(COSTLY);

test.each(cases)('an event that takes too long is refused, and the next one matched: %s', (_, given) => {
  const index = indexOf(given.filters);
  const before = index.match(given.other);
  expect(before.length).toBeGreaterThan(0);
  expect(() => index.match(given.event)).toThrow(TooCostlyToMatch);
  expect(index.match(given.other)).toEqual(before);
  expect(indexOf(given.filters).match(given.other)).toEqual(before);
});

test.each(cases)('it is given up soon after the bound, whatever that is: %s', (_, given) => {
  const index = indexOf(given.filters);
  const take = vi.spyOn(matchSteps, 'take');
  try {
    expect(() => index.match(given.event, 100_000)).toThrow(TooCostlyToMatch);
    const steps = take.mock.calls.map(([each]) => each);
    expect(steps.every((each) => Number.isInteger(each) && each >= 0)).toBe(true);
    // But for what is counted before it is done, and that once.
    expect(steps.slice(0, -1).reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(100_000);
  } finally {
    take.mockRestore();
  }
});

test('an event of a megabyte, of a hundred thousand values, takes a small part of what it may against ordinary filters', () => {
  const filters = list(1_000, (i) => ({
    type: [`order.${i % 20}`],
    data: {
      ...(i % 2 === 0 ? { customer: [`c${i}`, { prefix: `vip${i}-` }] } : { 'items.sku': [{ prefix: `sku${i}-` }] }),
      ...(i % 3 === 0
        ? { total: [{ numeric: ['>', i * 10] }] }
        : { 'items.price': [{ numeric: ['>', i, '<=', 2 * i] }] }),
      ...(i % 5 === 0 ? { country: [{ 'anything-but': ['US', `X${i}`] }] } : {}),
    },
  }));
  const items = list(25_000, (i) => ({ sku: `sku${i % 1_500}-${i}`, price: i % 3_000, q: i % 7 }));
  const event = {
    type: 'order.3',
    data: { customer: 'c23', total: 99, country: 'DE', tags: list(25_000, (i) => i), items },
  };
  expect(JSON.stringify(event).length).toBeGreaterThan(1_048_576);
  const index = indexOf(filters);
  expect(index.match(event, MAX_MATCH_STEPS / 10).length).toBeGreaterThan(0);
});

test('equal values are asked once', () => {
  const index = indexOf(list(2_000, (i) => ({ n: [{ 'anything-but': { prefix: ['v', `w${i}`] } }] })));
  expect(index.match({ n: list(40_000, (i) => `v${i % 20}`) }, MAX_MATCH_STEPS / 10)).toEqual([]);
});

test('a number is read once, as the event is, however many digits it has and however many ranges end at its double', () => {
  const index = indexOf(
    list(200, (i) => ({ n: [{ numeric: ['>', -1 - i, '<', 0.1] }], m: [{ numeric: ['>', 0.1] }] })),
  );
  const above = `0.1${'0'.repeat(1_000)}1`;
  const below = `0.09${'9'.repeat(1_000)}`;
  const event = parseExactly(`{"n":[${above},${below}],"m":${above}}`);
  expect(callsOf('charCodeAt', () => expect(index.match(event)).toHaveLength(200))).toBe(0);
});

test('ranges are looked through once for one number, however many it is in', () => {
  const index = indexOf(list(200, (i) => ({ n: [{ numeric: ['>', -1 - i, '<', 1] }] })));
  const together = vi.spyOn(IntervalTrees.prototype, 'visitAll');
  try {
    expect(index.match({ n: 0 })).toHaveLength(200);
    expect(index.match({ n: ['a', 0, 'b'] })).toHaveLength(200);
    expect(together).not.toHaveBeenCalled();
    index.match({ n: [0, 'b', 0.5] });
    expect(together).toHaveBeenCalled();
  } finally {
    together.mockRestore();
  }
});

/** Lists of conditions at one field, each of nearly two thousand. */
const longLists = (length: number, ...more: unknown[]) =>
  list(length, (i) => ({ x: [...list(1_900, (k) => `v${i * 7 + k}`), ...more, { exists: false }] }));

test('lists that values find by what they are are made once, however many filters have them', () => {
  const index = indexOf(longLists(150));
  const made = new Set<IndexedTest>();
  const asked = vi.spyOn(Conditions.prototype, 'objectOf');
  try {
    for (const x of ['q', 'q', 'v0', 'v1500']) {
      expect(index.match({ x })).toHaveLength(x === 'q' ? 0 : x === 'v0' ? 1 : 150);
    }
    expect(index.match({})).toHaveLength(150);
    for (const { value } of asked.mock.results) made.add(value);
    expect(made.size).toBeGreaterThan(100);
    expect(made.size).toBeLessThanOrEqual(150);
  } finally {
    asked.mockRestore();
  }
});

test('that lists are made anew is counted, where there are more of them than are kept', () => {
  const range = { numeric: ['<', 0] };
  const [few, many] = [indexOf(longLists(100, range)), indexOf(longLists(150, range))];
  for (const index of [few, many]) expect(index.match({ x: 'q' })).toEqual([]);
  expect(few.match({ x: 'q' }, 100_000)).toEqual([]);
  expect(() => many.match({ x: 'q' }, 1_000_000)).toThrow(TooCostlyToMatch);
  expect(many.match({ x: 'q' })).toEqual([]);
});

test.each([
  ['before', (exact: unknown[], ranges: unknown[]) => [...exact, ...ranges]],
  ['after', (exact: unknown[], ranges: unknown[]) => [...ranges, ...exact]],
  ['among', (exact: unknown[], ranges: unknown[]) => exact.flatMap((each, i) => [each, ...ranges.slice(i, i + 1)])],
])('a few lists of ranges make no others anew, where there are more than are kept: the others %s them', (_, mixed) => {
  const ranges = list(8, (i) => ({ x: [{ numeric: ['<', -i] }, { exists: false }] }));
  const index = indexOf(mixed(longLists(300), ranges));
  expect(index.match({ x: 'q' })).toEqual([]);
  // Two steps for each of their values, and those that are kept for less: all of them anew would be 17 million.
  for (let i = 0; i < 3; i++) expect(index.match({ x: 'q' }, 1_000_000)).toEqual([]);
  expect(index.match({ x: -7.5 }, 1_000_000)).toHaveLength(8);
  expect(index.match({}, 1_000_000)).toHaveLength(308);
});

test('that long suffixes are looked up among sorted values is counted by their length', () => {
  const suffixes = (length: number) =>
    indexOf(list(100, (i) => ({ s: [{ 'anything-but': { suffix: ['z', `${'a'.repeat(length)}${i}`] } }], t: [1] })));
  const event = { s: list(1_000, (i) => `${i}z`), t: 1 };
  const [short, long] = [suffixes(20), suffixes(10_000)];
  for (const index of [short, long]) expect(index.match(event)).toEqual([]);
  // By now their tests are kept, and not made again.
  expect(short.match(event, 500_000)).toEqual([]);
  expect(() => long.match(event, 500_000)).toThrow(TooCostlyToMatch);
});

test('what a filter is tried on is not counted: that has a bound of its own', () => {
  const [clause] = clausesOf({ n: [{ numeric: ['<', 0] }] });
  for (let i = 0; i < 3; i++) expect(explainMatch([clause!], { n: list(400_000, (k) => k) })).toHaveLength(1);
});
