import fc from 'fast-check';
import { expect, test } from 'vitest';
import { storableText } from './storable-text.ts';

test('wherever it is cut, a text has no NUL and no half of a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(20), (text, most) => {
      const kept = storableText(text, most);
      expect(kept).not.toContain('\0');
      expect(kept.isWellFormed()).toBe(true);
      expect(kept.length).toBeLessThanOrEqual(most);
    }),
  );
});

test('a text that is short and good stays as it is', () => {
  expect(storableText('grün 😀', 7)).toBe('grün 😀');
  expect(storableText('grün 😀', 6)).toBe('grün �');
});
