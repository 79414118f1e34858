import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dedupKey, digestUuid, sourceKey } from './dedup-key.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const digitsOf = (uuid: string) => uuid.replaceAll('-', '');

test('a body is known by the first 16 bytes of its SHA-256, written as a UUID', () => {
  expect(digitsOf(digestUuid('text'))).toBe(sha256('text').slice(0, 32));
  expect(digestUuid('text')).toMatch(UUID);
});

test('a key is stored as its place and the first 104 bits of a SHA-256 over owner, kind and text, written as a UUID', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('k', 'i', 'c'), fc.string({ unit: 'binary' }), (tenant, kind, text) => {
      const key = dedupKey(tenant, kind, text);
      expect(key).toMatch(UUID);
      expect(dedupKey(tenant, kind, text)).toBe(key);
      expect(digitsOf(key).slice(6)).toBe(sha256(`${tenant}\0${kind}\0${text}`).slice(0, 26));
      expect(digitsOf(sourceKey('src_1', text)).slice(6)).toBe(sha256(`src_1\0s\0${text}`).slice(0, 26));
    }),
  );
});

test('what is stored never changes: a later version must know what an earlier one has stored', () => {
  expect([
    dedupKey(7, 'k', 'order-000123'),
    dedupKey(7, 'i', 'evt_01JDNZ8WQK5V3T2R1P0M9X7C6B'),
    dedupKey(7, 'c', '/shop\x000193a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'),
    sourceKey('src_1', 'a/0/3/41'),
  ]).toEqual([
    '617a2eb5-0125-807f-499e-f7143e58fb5f',
    'ccbd5f2b-581b-5150-f32c-e1a03c287fb9',
    '32c8cd6e-8fc3-c286-2366-1b44d3b11d86',
    '85401779-446d-38a3-e6f3-5f5b44c5453a',
  ]);
});

test('keys of tenants, and keys and ids of one tenant, never stand for one another', () => {
  const claim = fc.tuple(
    fc.nat(30),
    fc.constantFrom<'k' | 'i' | 'c'>('k', 'i', 'c'),
    fc.string({ unit: fc.constantFrom('0', '1', 'k', 'i'), maxLength: 3 }),
  );
  fc.assert(
    fc.property(claim, claim, (a, b) => {
      expect(dedupKey(...a) === dedupKey(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 1_000 },
  );
});

test('keys that have their place in common stay apart', () => {
  const keys = Array.from({ length: 1_000 }, (_, i) => dedupKey(7, 'k', `order-${i}`));
  expect(new Set(keys.map((key) => key.slice(0, 6))).size).toBe(1);
  expect(new Set(keys).size).toBe(1_000);
});

test('one counter that goes through the events of many tenants and sources gives neighbours', () => {
  const keys = [...Array.from({ length: 50 }, (_, i) => dedupKey(i, 'i', `run-${i}`)), sourceKey('src_1', 'run-51')];
  expect(new Set(keys.map((key) => key.slice(0, 6))).size).toBe(1);
});

test('no part of a key is to be read in what is stored', () => {
  for (let i = 0; i < 1_000; i++) {
    const text = createHash('md5').update(`${i}`).digest('hex');
    const stored = digitsOf(dedupKey(7, 'k', text));
    expect(text).not.toContain(stored.slice(0, 6));
    for (let from = 0; from + 8 <= text.length; from++) expect(stored).not.toContain(text.slice(from, from + 8));
  }
});
