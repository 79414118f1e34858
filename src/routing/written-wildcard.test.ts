import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcard, readWildcard } from './wildcard.ts';
import { matchesWritten } from './written-wildcard.ts';

const unitsOf = (text: string) => Uint16Array.from(text, (_, i) => text.charCodeAt(i));

test('a wildcard where it is written matches what it matches when it was read', () => {
  let matched = 0;
  const letters = fc.constantFrom('a', 'b', '*', '\\*', '\\\\', 'ä');
  const pattern = fc.string({ unit: letters, maxLength: 8 }).filter((text) => readWildcard(text).ok);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '\\', 'ä'), maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (written, value) => {
      const reading = readWildcard(written);
      const expected = reading.ok && matchesWildcard(reading.wildcard, value);
      expect(matchesWritten(unitsOf(written), 0, written.length, value)).toBe(expected);
      if (expected) matched++;
    }),
    { numRuns: 3_000 },
  );
  expect(matched).toBeGreaterThan(30);
});

test('a match that would take the product of the lengths is given up', () => {
  const written = `*${'a'.repeat(500)}b*c`;
  expect(matchesWritten(unitsOf(written), 0, written.length, 'a'.repeat(50_000))).toBe(null);
});
