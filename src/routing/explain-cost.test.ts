import { expect, test } from 'vitest';
import { TooManySteps } from './explain-cost.ts';
import { explainMatch } from './explain-match.ts';
import { callsOf } from './fixtures/calls-of.ts';
import { subscriptionClauses } from './subscription-clauses.ts';

const list = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const failuresOf = (filter: unknown, n: unknown) =>
  explainMatch(subscriptionClauses({ filter: JSON.stringify(filter) }), { type: 'a.b', data: { n } });
const anyOf = (conditions: readonly unknown[]) => ({ data: { n: conditions } });
const orOf = (count: number, condition: (i: number) => unknown) => ({ $or: list(count, (i) => anyOf([condition(i)])) });

const wildcardAt = (i: number) => ({ wildcard: `*aaaaaaaa${i}b*` });
const foldOr = (count: number) => ({
  $or: list(count, (i) => anyOf(list(8, (j) => ({ 'equals-ignore-case': `kk${i}${j}` })))),
});
const addresses = list(15_000, (i) => `11.0.${i % 256}.1`);
const words = list(40_000, (i) => `y${i % 10}`);

test.each([
  ['alternatives with a network each', orOf(95, (i) => ({ cidr: `10.${i}.0.0/16` })), addresses],
  [
    'networks of all lengths',
    anyOf(list(128, (i) => ({ cidr: `ffff::1/${i + 1}` }))),
    list(20_000, (i) => `1::${i % 10_000}`),
  ],
  ['alternatives over many words', orOf(95, (i) => ({ 'anything-but': [`k${i}`, 'y0'] })), words],
  ['alternatives in any case', orOf(95, (i) => ({ 'equals-ignore-case': `kk${i}` })), words],
  ['wildcards', anyOf(list(50, (i) => ({ wildcard: `*a*b*a*c${i}*` }))), list(20_000, (i) => `abab${i}`)],
  ['wildcards, of which each reads a long text', anyOf(list(50, wildcardAt)), ['a'.repeat(240_000)]],
  [
    'wildcards, of which each reads many texts',
    anyOf(list(50, wildcardAt)),
    list(4_000, (i) => `${'a'.repeat(50)}${i}`),
  ],
  ['alternatives in any case over short texts that are not ASCII', foldOr(40), list(10_000, (i) => `Yé${i}`)],
  ['alternatives with wildcards over elements of an array', orOf(50, wildcardAt), list(4_000, (i) => [[`${i}`]])],
])(
  'what one tenant tries takes a bounded number of steps: refused are %s over a large array (G4)',
  (_, filter, values) => {
    expect(() => failuresOf(filter, values)).toThrow(TooManySteps);
    // Of an ordinary event they are told.
    expect(failuresOf(filter, values[0]!.slice(0, 20)).length).toBeLessThanOrEqual(1);
  },
);

test.each([
  ['500 networks over 15,000 addresses', anyOf(list(500, (i) => ({ cidr: `10.${i % 256}.0.0/16` }))), addresses],
  ['thousands of words over as many', anyOf(list(1_900, (i) => `x${i}`)), words],
  [
    'hundreds of ranges',
    anyOf(list(300, (i) => ({ numeric: ['>', i * 1e6, '<', i * 1e6 + 1] }))),
    list(60_000, (i) => i * 1e6),
  ],
  ['a wildcard over a long text', anyOf([{ wildcard: '*a*b' }]), 'a'.repeat(240_000)],
  ['all alternatives over an ordinary event', orOf(100, (i) => ({ cidr: `10.${i}.0.0/16` })), addresses.slice(0, 50)],
])('what can be looked up is tried, however much there is of it: %s', (_, filter, values) => {
  expect(failuresOf(filter, values)).toHaveLength(1);
});

test('patterns of types are counted by their segments', () => {
  const types = list(100, (i) => `${'a.'.repeat(60)}${i}.**`);
  const event = { type: list(2_000, (i) => `${'a.'.repeat(60)}b${i}`) };
  expect(() => explainMatch(subscriptionClauses({ types }), event)).toThrow(TooManySteps);
  expect(explainMatch(subscriptionClauses({ types }), { type: 'a.b' })).toHaveLength(1);
});

test('a long text is read once for each wildcard, however many alternatives and arrays ask for it', () => {
  const filter = { data: { n: list(19, wildcardAt) }, $or: list(100, () => ({ a: [1] })) };
  const text = 'a'.repeat(100_000);
  for (const n of [text, [[text]]]) {
    const units = callsOf('charCodeAt', () => expect(failuresOf(filter, n)).toHaveLength(2));
    expect(units).toBeGreaterThan(19 * text.length);
    expect(units).toBeLessThan(19 * 4 * text.length);
  }
});

test.each([
  ['charCodeAt', 'read as an address', list(8, (i) => ({ cidr: `10.${i}.0.0/16` })), addresses.slice(0, 50)],
  ['toUpperCase', 'folded', list(8, (i) => ({ 'equals-ignore-case': `kk${i}` })), list(50, (i) => `Yé${i}`)],
] as const)('by %s: a text is %s once for all conditions of a list', (method, _, conditions, n) => {
  const callsFor = (some: readonly unknown[]) => {
    const clauses = subscriptionClauses({ filter: JSON.stringify(anyOf(some)) });
    return callsOf(method, () => expect(explainMatch(clauses, { type: 'a.b', data: { n } })).toHaveLength(1));
  };
  expect(callsFor(conditions)).toBe(callsFor(conditions.slice(0, 1)));
});

test('a long text is folded once, however many conditions and alternatives ask for it', () => {
  const text = 'Yé'.repeat(60_000);
  const folded = callsOf('toUpperCase', () => expect(failuresOf(foldOr(30), [text, `${text}.`])).toHaveLength(1));
  expect(folded).toBeLessThan(2.01 * text.length);
});
