import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcard, readWildcard } from './wildcard.ts';
import { matchesOfCrowd } from './wildcard-crowd.ts';

test('many wildcards at once match what each of them matches', () => {
  let matched = 0;
  const letters = fc.constantFrom('a', 'a', 'b', 'ab', '*', '\\*', 'ä');
  const written = fc.string({ unit: letters, maxLength: 9 }).filter((text) => readWildcard(text).ok);
  // So that literals within end inside of each other, and where the last one begins.
  const literal = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
  const within = fc.array(literal, { minLength: 1, maxLength: 3 });
  const starred = fc
    .tuple(within, fc.constantFrom('', '', 'a', 'b', 'ab'))
    .map(([all, end]) => `*${all.join('*')}*${end}`);
  const pattern = fc.oneof(written, starred);
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
