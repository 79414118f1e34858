import { expect, test } from 'vitest';
import { MAX_STARS, matchesWildcard, readWildcard } from './wildcard.ts';

const long = 'abcdefghi';

test.each([
  [`*${long}*ij`, `${long}j`, false],
  [`*${long}*ij`, `${long}ij`, true],
  [`${long}*${long}*`, `${long}bcdefghi`, false],
  ['a*b*b', 'aab', false],
  ['*a'.repeat(MAX_STARS), 'a'.repeat(MAX_STARS), true],
  ['*a'.repeat(MAX_STARS), 'a'.repeat(MAX_STARS - 1), false],
])('literals of a wildcard share no part of a text: %s on %s', (written, text, expected) => {
  const reading = readWildcard(written);
  expect(reading.ok && matchesWildcard(reading.wildcard, text)).toBe(expected);
});

test('more stars than may be are refused', () => {
  expect(readWildcard('*a'.repeat(MAX_STARS + 1)).ok).toBe(false);
});
