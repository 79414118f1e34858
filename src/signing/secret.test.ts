import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { generateSecret } from './generate-secret.ts';
import { publicKeyOf } from './public-key-of.ts';
import { InvalidSecretError, parseSecret, readSecret, type SecretFault } from './secret.ts';
import { parseSigningKey } from './signing-key.ts';
import { parseVerifyingKey } from './verifying-key.ts';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

function faultOf(text: unknown): SecretFault | null {
  const reading = readSecret(text as string);
  return reading.ok ? null : reading.fault;
}

test('a v1 secret is whsec_ and 32 random bytes, another one each time', () => {
  const secret = generateSecret('v1');
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(generateSecret('v1')).not.toBe(secret);
  expect(parseSigningKey(secret).scheme).toBe('v1');
});

test('a v1a secret is whsk_ and 64 bytes, the seed before the public key that node:crypto derives', () => {
  const bytes = Buffer.from(generateSecret('v1a').slice('whsk_'.length), 'base64');
  expect(bytes).toHaveLength(64);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes.subarray(32).toString('base64url') };
  const expected = createPublicKey({ key: jwk, format: 'jwk' });
  const { key } = parseVerifyingKey(`whsk_${base64(bytes)}`);
  expect(key.equals(expected)).toBe(true);
});

test('the public key of a whsk_ is the same from its long form, its bare seed and itself', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d, x } = privateKey.export({ format: 'jwk' });
  const seed = Buffer.from(d!, 'base64url');
  const expected = `whpk_${Buffer.from(x!, 'base64url').toString('base64')}`;
  expect(publicKeyOf(`whsk_${base64(seed)}`)).toBe(expected);
  expect(publicKeyOf(`whsk_${base64(Buffer.concat([seed, Buffer.from(x!, 'base64url')]))}`)).toBe(expected);
  expect(publicKeyOf(expected)).toBe(expected);
});

test('the first key pair of RFC 8032 §7.1 is read as printed there', () => {
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
  expect(publicKeyOf(`whsk_${base64(seed)}`)).toBe(`whpk_${base64(publicKey)}`);
  expect(faultOf(`whsk_${base64(Buffer.concat([seed, publicKey]))}`)).toBeNull();
});

test('a whsec_ has no public key', () => {
  expect(publicKeyOf(generateSecret('v1'))).toBeNull();
});

test.each([
  [23, 'bad_length'],
  [24, null],
  [64, null],
  [65, 'bad_length'],
] as const)('a whsec_ of %i bytes: %s', (length, fault) => {
  expect(faultOf(`whsec_${base64(randomBytes(length))}`)).toBe(fault);
});

test.each([0, 31, 33, 63, 65])('a whsk_ or whpk_ of %i bytes is refused', (length) => {
  expect(faultOf(`whsk_${base64(randomBytes(length))}`)).toBe('bad_length');
  expect(faultOf(`whpk_${base64(randomBytes(length))}`)).toBe('bad_length');
});

test('a whsk_ whose halves do not belong together is refused', () => {
  expect(faultOf(`whsk_${base64(randomBytes(64))}`)).toBe('key_mismatch');
});

test('no prefix, another prefix, or no text at all is refused', () => {
  const bare = base64(randomBytes(32));
  for (const text of [bare, `WHSEC_${bare}`, ` whsec_${bare}`, 'whsec', '', undefined, null, 7, {}]) {
    expect(faultOf(text), String(text)).toBe('unknown_prefix');
  }
});

test('a secret that is not exactly padded standard base64 is refused instead of becoming another key', () => {
  const good = `whsec_${base64(Buffer.alloc(32, 0xfb))}`;
  expect(faultOf(good)).toBeNull();
  const urlSafe = good.replaceAll('+', '-').replaceAll('/', '_');
  for (const text of [
    good.slice(0, -1),
    `${good}\n`,
    `${good} `,
    `"${good.slice(6)}"`,
    urlSafe,
    `${good.slice(0, -2)}t=`,
  ]) {
    const secret = text.startsWith('whsec_') ? text : `whsec_${text}`;
    expect(faultOf(secret), JSON.stringify(text)).toBe('bad_base64');
  }
});

test('a secret of a megabyte is refused unread', () => {
  expect(faultOf(`whsec_${'!'.repeat(1_000_000)}`)).toBe('bad_length');
});

test('no error about a secret holds a part of it', () => {
  const body = fc.oneof(fc.string({ minLength: 6 }), fc.uint8Array({ minLength: 6, maxLength: 80 }).map(base64));
  fc.assert(
    fc.property(fc.constantFrom('whsec_', 'whsk_', 'whpk_', 'secret_'), body, (prefix, rest) => {
      const reading = readSecret(prefix + rest);
      fc.pre(!reading.ok);
      expect(reading.detail).not.toContain(rest);
      expect(() => parseSecret(prefix + rest)).toThrow(new InvalidSecretError(reading.fault, reading.detail));
    }),
  );
});

test('a key that is printed or logged shows nothing of its secret', () => {
  for (const secret of [generateSecret('v1'), generateSecret('v1a')]) {
    const bytes = Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
    const printed =
      inspect(parseSigningKey(secret), { depth: 9, showHidden: true }) + JSON.stringify(parseSigningKey(secret));
    for (const encoding of ['base64', 'hex', 'base64url'] as const) {
      expect(printed).not.toContain(bytes.subarray(0, 24).toString(encoding));
    }
    expect(printed).not.toContain(bytes.subarray(0, 4).join(','));
  }
});

test('a public key cannot sign', () => {
  const publicKey = publicKeyOf(generateSecret('v1a'))!;
  expect(() => parseSigningKey(publicKey)).toThrow(InvalidSecretError);
  expect(() => parseSigningKey(publicKey)).toThrow('whsk_');
});
