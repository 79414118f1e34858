import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Condition } from './condition.ts';
import { type EventNumber, ExactNumber, parseExactly } from './exact-number.ts';
import { readCondition } from './read-condition.ts';
import { type Leaf, satisfies } from './satisfies.ts';
import { SortedValues } from './sorted-values.ts';

const text = fc.constantFrom(
  '',
  'a',
  'A',
  'ab',
  'aB',
  'AB',
  'ba',
  'bab',
  'Ä',
  'ä',
  'aÄ',
  'ß',
  '\ud83d\ude00',
  '\ude00',
  '\ud83d',
  'a\uffff',
);
const number = fc.constantFrom(0, -1, 1, 1.5, 2, 0.1, 1e21, 9007199254740992);
const digits = fc.constantFrom(
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '1.5',
    '2',
    '0.1',
    '0.10000000000000000001',
    '0.09999999999999999999',
    '-1.00000000000000000001',
  ],
  ...['9007199254740991.9999', '9007199254740992', '9007199254740993', '1e400', '2e400', '-1e400', '1e-400', '-1e-400'],
);
const literal = fc.constantFrom(null, true, false);
const value = fc.oneof(
  text,
  digits.map((written) => parseExactly(`[${written}]`) as [EventNumber]).map(([one]) => one),
  literal,
);
/** Each once, as the values of a path are. */
const values = fc.array(value, { maxLength: 70 }).map((some) => [...new Set(some)]);

const affix = fc.oneof(text, fc.record({ 'equals-ignore-case': text })).filter((one) => one !== '');
const below = fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '='), number);
const between = fc.tuple(
  fc.constantFrom('>', '>='),
  fc.constantFrom(-1, 0, 0.1),
  fc.constantFrom('<', '<='),
  fc.constantFrom(1, 2, 1e21),
);
const ordered = fc.oneof(
  text,
  number,
  fc.record({ prefix: affix }),
  fc.record({ suffix: affix }),
  fc.record({ 'equals-ignore-case': text }),
  fc.record({ numeric: fc.oneof(below, between) }),
);
const some = (one: fc.Arbitrary<unknown>) => fc.array(one, { minLength: 1, maxLength: 4 });
const asked = fc.oneof(
  { weight: 6, arbitrary: some(fc.oneof({ weight: 8, arbitrary: ordered }, fc.constant({ exists: false }))) },
  fc
    .oneof(
      fc.record({ prefix: some(text) }),
      fc.record({ suffix: some(text) }),
      fc.record({ 'equals-ignore-case': some(text) }),
      some(text),
      some(number),
    )
    .map((excluded) => [{ 'anything-but': excluded }]),
);

function conditionsOf(written: readonly unknown[]): Condition[] | null {
  const read = written.map((one) => readCondition(one, []));
  return read.every((reading) => reading.ok) ? read.map(({ condition }) => condition) : null;
}

const holds = (bits: Uint32Array, num: number) => (bits[num >>> 5]! & (1 << num)) !== 0;

test('sorted values satisfy what each satisfies by itself, numbers that no double holds among them', () => {
  let looked = 0;
  fc.assert(
    fc.property(values, fc.array(asked, { minLength: 1, maxLength: 8 }), (given, lists) => {
      const sorted = new SortedValues(given);
      sorted.numbersAfter(1e9);
      for (const written of lists) {
        const conditions = conditionsOf(written);
        fc.pre(conditions !== null);
        const bits = sorted.satisfying(conditions, 1e6);
        if (bits === null) expect(given).toEqual([]);
        else {
          const found = given.filter((_, num) => holds(bits, num));
          const wanted = given.filter((one) => conditions.some((condition) => satisfies(one, condition)));
          expect([written, found]).toEqual([written, wanted]);
          // Of what is after the last one nothing is said.
          for (let num = given.length; num < bits.length * 32; num++) expect(holds(bits, num)).toBe(false);
          looked++;
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(looked).toBeGreaterThan(1_000);
});

test('numbers are in their order by the digits that they were written with', () => {
  const written = ['2e400', '1', '0.1', '0.10000000000000000001', '-1e400', '0.09999999999999999999', '-1'];
  const { keys, doubles } = new SortedValues(
    written.map((one) => (parseExactly(`[${one}]`) as [Leaf])[0]),
  ).numbersAfter(1e9)!;
  const texts = keys.map((key) => (key instanceof ExactNumber ? key.text : String(key)));
  expect(texts).toEqual(['-1e400', '-1', '0.09999999999999999999', '0.1', '0.10000000000000000001', '1', '2e400']);
  expect([...doubles]).toEqual([Number.NEGATIVE_INFINITY, -1, 0.1, 0.1, 0.1, 1, Number.POSITIVE_INFINITY]);
});

test('few conditions are asked of each value, and values are sorted once as much was asked as that takes', () => {
  const sorted = new SortedValues(Array.from({ length: 1_000 }, (_, i) => `v${i}`));
  const answers = Array.from({ length: 100 }, (_, i) =>
    sorted.satisfying([{ kind: 'prefix', text: `v${i}`, fold: false }], 1),
  );
  const first = answers.findIndex((bits) => bits !== null);
  expect(first).toBe(40);
  expect(answers.slice(first)).not.toContain(null);
  // In another order they are sorted by themselves.
  expect(sorted.satisfying([{ kind: 'suffix', text: '1', fold: false }], 1)).toBe(null);
  expect(sorted.satisfying([{ kind: 'exists' }], 1_000)).toBe(null);
});
