import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dedupKey, digestUuid } from './dedup-key.ts';

test('a key is stored as the first 16 bytes of a SHA-256, written as a UUID', () => {
  const hex = createHash('sha256').update('text').digest('hex').slice(0, 32);
  expect(digestUuid('text').replaceAll('-', '')).toBe(hex);
  expect(digestUuid('text')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('keys of tenants, and keys and ids of one tenant, never stand for one another', () => {
  const claim = fc.tuple(
    fc.nat(30),
    fc.constantFrom<'k' | 'i'>('k', 'i'),
    fc.string({ unit: fc.constantFrom('0', '1', 'k', 'i'), maxLength: 3 }),
  );
  fc.assert(
    fc.property(claim, claim, (a, b) => {
      expect(dedupKey(...a) === dedupKey(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 1_000 },
  );
});
