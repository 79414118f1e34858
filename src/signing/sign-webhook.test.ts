import { createHmac, createPrivateKey, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { generateSecret } from './generate-secret.ts';
import { signWebhook } from './sign-webhook.ts';
import { parseSigningKey } from './signing-key.ts';

const EMPTY = new Uint8Array();

test('the vector of Standard Webhooks: id, timestamp, secret and body give the published v1 signature', () => {
  const key = parseSigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const body = Buffer.from('{"test": 2432232314}');
  const header = signWebhook([key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, body);
  expect(header).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('v1 is HMAC-SHA256 of id.timestamp.body for any bytes, also those that are not UTF-8', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 24, maxLength: 64 }),
      fc.uint8Array(),
      fc.nat(),
      (secret, body, timestamp) => {
        const key = parseSigningKey(`whsec_${Buffer.from(secret).toString('base64')}`);
        const content = Buffer.concat([Buffer.from(`evt_1.${timestamp}.`), body]);
        const expected = createHmac('sha256', secret).update(content).digest('base64');
        expect(signWebhook([key], 'evt_1', timestamp, body)).toBe(`v1,${expected}`);
      },
    ),
  );
});

test('v1a is the Ed25519 signature that node:crypto makes over the same content, from the long form and from the seed', () => {
  const secret = generateSecret('v1a');
  const bytes = Buffer.from(secret.slice('whsk_'.length), 'base64');
  const [d, x] = [bytes.subarray(0, 32), bytes.subarray(32)].map((half) => half.toString('base64url'));
  const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d: d!, x: x! }, format: 'jwk' });
  const body = Buffer.from([0, 255, 46, 10]);
  const content = Buffer.concat([Buffer.from('evt_1.1764000000.'), body]);
  const expected = `v1a,${sign(null, content, privateKey).toString('base64')}`;
  const seed = `whsk_${bytes.subarray(0, 32).toString('base64')}`;
  for (const text of [secret, seed]) {
    expect(signWebhook([parseSigningKey(text)], 'evt_1', 1764000000, body)).toBe(expected);
  }
});

test('several keys give one signature each, in their order, separated by one space', () => {
  const keys = [generateSecret('v1'), generateSecret('v1a'), generateSecret('v1')].map(parseSigningKey);
  const header = signWebhook(keys, 'evt_1', 1764000000, EMPTY);
  const single = keys.map((key) => signWebhook([key], 'evt_1', 1764000000, EMPTY));
  expect(header).toBe(single.join(' '));
});

test('a body that is a window on a larger buffer is signed alone, and left as it was', () => {
  const key = parseSigningKey(generateSecret('v1'));
  const large = Buffer.from('xx{"a":1}yy');
  const header = signWebhook([key], 'evt_1', 1, large.subarray(2, 9));
  expect(header).toBe(signWebhook([key], 'evt_1', 1, Buffer.from('{"a":1}')));
  expect(large.toString()).toBe('xx{"a":1}yy');
});

test('nothing is signed without a key, with an id that a header cannot carry, or with a timestamp that is no number of seconds', () => {
  const keys = [parseSigningKey(generateSecret('v1'))];
  expect(() => signWebhook([], 'evt_1', 1, EMPTY)).toThrow(RangeError);
  for (const id of ['', 'a.b', 'a b', 'a\r\nb', 'é', '\0', 'x'.repeat(257)]) {
    expect(() => signWebhook(keys, id, 1, EMPTY), JSON.stringify(id)).toThrow(RangeError);
  }
  for (const timestamp of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    expect(() => signWebhook(keys, 'evt_1', timestamp, EMPTY), String(timestamp)).toThrow(RangeError);
  }
});
