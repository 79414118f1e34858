import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { Cursors } from './cursor.ts';

const key = (fill: number) => Buffer.alloc(32, fill).toString('base64');
const cursors = new Cursors(key(1));
const LIST = ['/v1/tenants/t/events', 1, { type: 'a' }];

test('a cursor gives back its position in the list that it came from', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (position) => {
      expect(cursors.decode(cursors.encode(position, LIST), LIST)).toBe(position);
    }),
  );
});

test('a filter that is absent is the same whether it is undefined or null', () => {
  expect(cursors.decode(cursors.encode('p', ['r', undefined]), ['r', null])).toBe('p');
});

test.each([
  ['of another tenant', ['/v1/tenants/t/events', 2, { type: 'a' }]],
  ['of another filter', ['/v1/tenants/t/events', 1, { type: 'b' }]],
  ['of another route', ['/v1/tenants/t/endpoints', 1, { type: 'a' }]],
  ['of a list with more filters', [...LIST, 'x']],
])('a cursor %s is refused', (_whose, other) => {
  expect(() => cursors.decode(cursors.encode('p', other), LIST)).toThrow(Refusal);
});

test('a cursor that was altered, cut, made with another key or made up is refused with 422 at its path', () => {
  const good = cursors.encode('position', LIST);
  const bytes = Buffer.from(good, 'base64url');
  const altered = [...bytes.keys()].map((i) => {
    const copy = Buffer.from(bytes);
    copy[i]! ^= 1;
    return copy.toString('base64url');
  });
  const foreign = new Cursors(key(2)).encode('position', LIST);
  for (const bad of [...altered, good.slice(0, -3), '', '!', 'a', 'x'.repeat(513), foreign]) {
    expect(() => cursors.decode(bad, LIST)).toThrow(
      expect.objectContaining({ status: 422, faults: [expect.objectContaining({ path: 'cursor' })] }),
    );
  }
});

test('a cursor is one text alone: with something appended, or bits in its last character that say nothing, it is refused', () => {
  for (const position of ['p', 'po', 'pos']) {
    const good = cursors.encode(position, LIST);
    const last = good.at(-1)!;
    const next = String.fromCharCode(last.charCodeAt(0) + 1);
    for (const bad of [`${good}A`, `${good}_`, `A${good}`, good.slice(0, -1) + next])
      expect(() => cursors.decode(bad, LIST), bad).toThrow(Refusal);
  }
});

test('a cursor carries 96 bits that cannot be made up, and is refused when any of them is another', () => {
  const bytes = Buffer.from(cursors.encode('position', LIST), 'base64url');
  const tagBytes = bytes.length - Buffer.byteLength('position');
  expect(tagBytes).toBe(12);
  for (let bit = 0; bit < tagBytes * 8; bit++) {
    const altered = Buffer.from(bytes);
    altered[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => cursors.decode(altered.toString('base64url'), LIST), `bit ${bit}`).toThrow(Refusal);
  }
});
