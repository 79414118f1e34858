import { createHmac, createSecretKey } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from './hmac-key.ts';

const keyOf = (bytes: Uint8Array) => new HmacKey(createSecretKey(bytes));
const hex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');

// RFC 4231 §4.2 to §4.5; its other cases have keys of more than 64 bytes, or a digest that is cut.
test.each([
  ['0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    '4a656665',
    '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    '0102030405060708090a0b0c0d0e0f10111213141516171819',
    'cd'.repeat(50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
])('the vector of RFC 4231 with the key %s', (key, data, mac) => {
  expect(hex(keyOf(Buffer.from(key, 'hex')).sign('', Buffer.from(data, 'hex')))).toBe(mac);
});

test('it signs as createHmac does, for any key, prefix and body, one key after the other', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const prefix = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(key, key, prefix, fc.uint8Array({ maxLength: 300 }), (one, other, prefix, body) => {
      const keys = [one, other].map((bytes) => ({ bytes, key: keyOf(bytes) }));
      for (const { bytes, key } of [...keys, ...keys]) {
        const expected = createHmac('sha256', bytes).update(prefix).update(body).digest('base64');
        expect(key.sign(prefix, body)).toBe(expected);
      }
    }),
  );
});

test('bodies of every size are signed, those about the largest that is copied included', () => {
  const key = Buffer.alloc(32, 7);
  const prefix = 'evt_1.1764000000.';
  for (const size of [0, 1, 32_750, 32_751, 32_752, 32_768, 262_144]) {
    const body = Buffer.alloc(size, 'ab');
    const expected = createHmac('sha256', key).update(prefix).update(body).digest('base64');
    expect(keyOf(key).sign(prefix, body), String(size)).toBe(expected);
  }
});

test('a key shows nothing of itself, and one of more than a block is refused', () => {
  const key = keyOf(Buffer.from('secret-secret-secret'));
  expect([inspect(key, { depth: 9 }), JSON.stringify(key)]).toEqual(['HmacKey {}', '{}']);
  expect(() => keyOf(Buffer.alloc(65))).toThrow(RangeError);
});
