import { expect, test } from 'vitest';
import { TooManySteps } from './explain-cost.ts';
import { explainMatch } from './explain-match.ts';
import { subscriptionClauses } from './subscription-clauses.ts';

const list = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const failuresOf = (filter: unknown, n: unknown) =>
  explainMatch(subscriptionClauses({ filter: JSON.stringify(filter) }), { type: 'a.b', data: { n } });
const anyOf = (conditions: readonly unknown[]) => ({ data: { n: conditions } });
const orOf = (count: number, condition: (i: number) => unknown) => ({ $or: list(count, (i) => anyOf([condition(i)])) });

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
  [
    'alternatives in any case over long texts',
    orOf(95, (i) => ({ 'equals-ignore-case': `kk${i}` })),
    list(2, () => 'Yé'.repeat(30_000)),
  ],
  ['wildcards', anyOf(list(50, (i) => ({ wildcard: `*a*b*a*c${i}*` }))), list(20_000, (i) => `abab${i}`)],
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
