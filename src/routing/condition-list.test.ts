import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Condition } from './condition.ts';
import { ConditionList } from './condition-list.ts';
import { ExactNumber } from './exact-number.ts';
import { readCondition } from './read-condition.ts';
import { type Leaf, satisfies } from './satisfies.ts';

const text = fc.constantFrom(
  '',
  'a',
  'A',
  'ab',
  'aB',
  'ba',
  'Ä',
  'ä',
  'aba',
  '10.0.0.1',
  '10.1.0.1',
  '::1',
  '2001:db8::5',
);
const affix = fc.oneof(text, fc.record({ 'equals-ignore-case': text }));
const some = (values: fc.Arbitrary<unknown>) => fc.array(values, { minLength: 1, maxLength: 12 });
const number = fc.constantFrom(0, -0, 1, 1.5, 1e21);
const written = fc.oneof(
  text,
  number,
  fc.constantFrom(null, true, { exists: true }, { exists: false }),
  fc.record({ prefix: affix }),
  fc.record({ suffix: affix }),
  fc.record({ 'equals-ignore-case': text }),
  fc.record({ wildcard: fc.constantFrom('a*', '*a', 'a*a') }),
  fc.record({ cidr: fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '::/0', '2001:db8::/33', '0.0.0.0/0') }),
  fc.record({ numeric: fc.constantFrom(['>', 1], ['<=', 0], ['=', 1.5]) }),
  fc.record({ 'anything-but': fc.oneof(some(text), some(number)) }),
  fc.record({ 'anything-but': fc.record({ prefix: some(fc.constantFrom('a', 'b', 'Ä', '1')) }) }),
  fc.record({ 'anything-but': fc.record({ 'equals-ignore-case': some(text) }) }),
);
const values: readonly Leaf[] = [
  ...[
    '',
    'a',
    'A',
    'ab',
    'AB',
    'ba',
    'aba',
    'Ä',
    'ä',
    'b',
    'x',
    '10.0.0.1',
    '10.1.2.3',
    '11.0.0.1',
    '::1',
    '2001:DB8::6',
  ],
  ...[0, -0, 1, 1.5, 2, 1e21, true, false, null],
  ...['1.00000000000000000001', '1e400'].map((digits) => new ExactNumber(digits)),
];

function conditionOf(one: unknown): Condition {
  const reading = readCondition(one, []);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.condition;
}

test('a list says of a value what its conditions say one by one', () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 12 }), (list) => {
      const conditions = list.map(conditionOf);
      const found = new ConditionList(conditions);
      for (const value of values) {
        const expected = conditions.some((condition) => satisfies(value, condition));
        expect([list, value, found.satisfiedBy(value)]).toEqual([list, value, expected]);
      }
    }),
    { numRuns: 1_000 },
  );
});
