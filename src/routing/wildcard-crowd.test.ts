import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcard, readWildcard } from './wildcard.ts';
import { matchesOfCrowd } from './wildcard-crowd.ts';

test('many wildcards at once match what each of them matches', () => {
  let matched = 0;
  const letters = fc.constantFrom('a', 'a', 'b', 'ab', '*', '\\*', 'ä');
  const pattern = fc.string({ unit: letters, maxLength: 9 }).filter((text) => readWildcard(text).ok);
  const text = fc.string({ unit: fc.constantFrom('a', 'a', 'b', '*', 'ä'), maxLength: 14 });
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 12 }), text, (written, value) => {
      const wildcards = written.map((one) => {
        const reading = readWildcard(one);
        if (!reading.ok) throw new Error(one);
        return reading.wildcard;
      });
      const expected = wildcards.map((wildcard) => matchesWildcard(wildcard, value));
      expect(matchesOfCrowd(wildcards, value)).toEqual(expected);
      matched += expected.filter(Boolean).length;
    }),
    { numRuns: 2_000 },
  );
  expect(matched).toBeGreaterThan(200);
});
