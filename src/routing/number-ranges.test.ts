import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NumberRange } from './condition.ts';
import { ExactNumber } from './exact-number.ts';
import { NumberRanges } from './number-ranges.ts';
import { satisfies } from './satisfies.ts';

const range = fc
  .record({
    low: fc.constantFrom(-Infinity, -3, -1, 0, 1, 2, 5),
    lowOpen: fc.boolean(),
    width: fc.constantFrom(0, 1, 2, 4, Infinity),
    highOpen: fc.boolean(),
  })
  .map(
    ({ low, lowOpen, width, highOpen }): NumberRange =>
      low === -Infinity
        ? { kind: 'range', low, lowOpen: true, high: width === Infinity ? 3 : width, highOpen }
        : { kind: 'range', low, high: low + width, lowOpen: lowOpen && width > 0, highOpen: highOpen && width > 0 },
  );

const doubles = Array.from({ length: 61 }, (_, i) => i / 4 - 5);
const between = [-3, -1, 0, 1, 2, 3, 5, 6, 9].flatMap((whole) => [
  new ExactNumber(`${whole}.00000000000000000001`),
  new ExactNumber(`${whole - 1}.99999999999999999999`),
]);
const values = [...doubles, ...between, new ExactNumber('1e400'), new ExactNumber('-1e400')];

test('a number is in the ranges together when it is in one of them', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
      const found = new NumberRanges(ranges);
      for (const value of values) {
        const expected = ranges.some((one) => satisfies(value, one));
        expect([ranges, value, found.has(value)]).toEqual([ranges, value, expected]);
      }
    }),
    { numRuns: 500 },
  );
});
