import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { generateSecret } from './generate-secret.ts';
import { publicKeyOf } from './public-key-of.ts';
import type { HeaderSource } from './received-headers.ts';
import { requireSignature, WebhookVerificationError } from './require-signature.ts';
import { signWebhook } from './sign-webhook.ts';
import { parseSigningKey } from './signing-key.ts';
import { type VerifyOptions, verifySignature } from './verify-signature.ts';
import { parseVerifyingKey } from './verifying-key.ts';

const NOW = 1764000000;
const BODY = Buffer.from('{"id":"evt_1","data":{"n":1}}');
const v1 = generateSecret('v1');
const v1a = generateSecret('v1a');
const hmacKeys = [parseVerifyingKey(v1)];
const publicKeys = [parseVerifyingKey(publicKeyOf(v1a)!)];

function signedHeaders(secrets: readonly string[], body: Uint8Array = BODY, id = 'evt_1', timestamp = NOW) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signWebhook(secrets.map(parseSigningKey), id, timestamp, body),
  };
}

/** 'ok' or the reason of the refusal. */
function verdict(keys: typeof hmacKeys, headers: unknown, body: unknown = BODY, options: VerifyOptions = {}): string {
  const result = verifySignature(keys, headers as HeaderSource, body as Uint8Array, { nowMs: NOW * 1000, ...options });
  return result.ok ? 'ok' : result.reason;
}

test('a genuine webhook gives its id and timestamp, for v1 and v1a', () => {
  for (const [secret, keys] of [
    [v1, hmacKeys],
    [v1a, publicKeys],
  ] as const) {
    const result = verifySignature(keys, signedHeaders([secret]), BODY, { nowMs: NOW * 1000 });
    expect(result).toEqual({ ok: true, id: 'evt_1', timestamp: NOW });
  }
});

test('any body verifies as it was signed, for v1 and v1a', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (body) => {
      expect(verdict(hmacKeys, signedHeaders([v1], body), body)).toBe('ok');
      expect(verdict(publicKeys, signedHeaders([v1a], body), body)).toBe('ok');
    }),
  );
});

test('one changed, added or missing byte of the body fails', () => {
  const index = fc.nat();
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), index, fc.integer({ min: 1, max: 255 }), (body, at, change) => {
      const position = at % body.length;
      const changed = Uint8Array.from(body, (byte, i) => (i === position ? byte ^ change : byte));
      for (const tampered of [changed, Buffer.concat([body, Buffer.from([change])]), body.subarray(1)]) {
        expect(verdict(hmacKeys, signedHeaders([v1], body), tampered)).toBe('no_match');
        expect(verdict(publicKeys, signedHeaders([v1a], body), tampered)).toBe('no_match');
      }
    }),
  );
});

test('one changed character of the id, the timestamp or the signature fails', () => {
  const name = fc.constantFrom('webhook-id', 'webhook-timestamp', 'webhook-signature');
  const secret = fc.constantFrom(v1, v1a);
  fc.assert(
    fc.property(name, secret, fc.nat(), fc.integer({ min: 33, max: 126 }), (header, signer, at, code) => {
      const headers = signedHeaders([signer]);
      const value = headers[header as 'webhook-id'];
      const position = at % value.length;
      const changed = value.slice(0, position) + String.fromCharCode(code) + value.slice(position + 1);
      fc.pre(changed !== value);
      expect(verdict([...hmacKeys, ...publicKeys], { ...headers, [header]: changed })).not.toBe('ok');
    }),
    { numRuns: 500 },
  );
});

test('another key fails, and so does no key', () => {
  expect(verdict([parseVerifyingKey(generateSecret('v1'))], signedHeaders([v1]))).toBe('no_match');
  expect(verdict([parseVerifyingKey(generateSecret('v1a'))], signedHeaders([v1a]))).toBe('no_match');
  expect(verdict([], signedHeaders([v1]))).toBe('no_match');
});

test('while a secret is rotated, receivers with the old, the new or both secrets verify the same request', () => {
  const [older, newer] = [generateSecret('v1'), generateSecret('v1')];
  const headers = signedHeaders([newer, older]);
  for (const secrets of [[older], [newer], [older, newer], [newer, older]]) {
    expect(verdict(secrets.map(parseVerifyingKey), headers)).toBe('ok');
  }
  expect(verdict([newer].map(parseVerifyingKey), signedHeaders([older]))).toBe('no_match');
});

test('a change of scheme is a rotation like any other', () => {
  const headers = signedHeaders([v1a, v1]);
  expect(verdict(hmacKeys, headers)).toBe('ok');
  expect(verdict(publicKeys, headers)).toBe('ok');
});

test('signatures of unknown versions and garbage are passed over, wherever they stand', () => {
  const headers = signedHeaders([v1]);
  const good = headers['webhook-signature'];
  for (const noise of [
    'v2,AAAA',
    'v1',
    ',',
    '',
    'v1,',
    'v1,,',
    'v1a,!!!!',
    `v1,${'='.repeat(44)}`,
    `v1,${'é'.repeat(44)}`,
    'nonsense',
  ]) {
    expect(
      verdict([...hmacKeys, ...publicKeys], { ...headers, 'webhook-signature': `${noise} ${good} ${noise}` }),
    ).toBe('ok');
    expect(verdict([...hmacKeys, ...publicKeys], { ...headers, 'webhook-signature': noise })).not.toBe('ok');
  }
});

test('a signature counts only under its own version', () => {
  const headers = signedHeaders([v1]);
  const signature = headers['webhook-signature'].slice('v1,'.length);
  for (const version of ['v1a', 'v2', 'V1', 'v11', '']) {
    expect(verdict([...hmacKeys, ...publicKeys], { ...headers, 'webhook-signature': `${version},${signature}` })).toBe(
      'no_match',
    );
  }
});

test('a stranger can make us try 32 signatures and no more', () => {
  const headers = signedHeaders([v1]);
  const behind = (count: number) => ({
    ...headers,
    'webhook-signature': `${'v1,x '.repeat(count)}${headers['webhook-signature']}`,
  });
  expect(verdict(hmacKeys, behind(31))).toBe('ok');
  expect(verdict(hmacKeys, behind(32))).toBe('no_match');
});

test('a message cannot be shown again under another id and a fresh timestamp by moving the dots', () => {
  const body = Buffer.from(`${NOW + 86400}.{}`);
  const headers = signedHeaders([v1], body);
  const moved = { ...headers, 'webhook-id': `evt_1.${NOW}`, 'webhook-timestamp': String(NOW + 86400) };
  expect(verdict(hmacKeys, moved, Buffer.from('{}'), { nowMs: (NOW + 86400) * 1000 })).toBe('bad_id');
});

test.each([
  [-301, 'too_old'],
  [-300, 'ok'],
  [300, 'ok'],
  [301, 'too_new'],
])('a timestamp %i s from now is %s unless another tolerance is asked for', (offset, expected) => {
  const headers = signedHeaders([v1], BODY, 'evt_1', NOW + offset);
  expect(verdict(hmacKeys, headers)).toBe(expected);
  expect(verdict(hmacKeys, headers, BODY, { toleranceSeconds: 1000 })).toBe('ok');
  expect(verdict(hmacKeys, headers, BODY, { toleranceSeconds: 10 })).toBe(offset < 0 ? 'too_old' : 'too_new');
});

test('a tolerance or a clock that is no number accepts nothing', () => {
  const headers = signedHeaders([v1]);
  expect(verdict(hmacKeys, headers, BODY, { toleranceSeconds: Number.NaN })).toBe('too_old');
  expect(verdict(hmacKeys, headers, BODY, { nowMs: Number.NaN })).toBe('too_old');
});

test('without options the tolerance is five minutes of the real clock', () => {
  const seconds = Math.floor(Date.now() / 1000);
  const at = (timestamp: number) => verifySignature(hmacKeys, signedHeaders([v1], BODY, 'evt_1', timestamp), BODY);
  expect(at(seconds).ok).toBe(true);
  expect(at(seconds - 3600)).toEqual({ ok: false, reason: 'too_old' });
  expect(at(seconds + 3600)).toEqual({ ok: false, reason: 'too_new' });
});

test('a timestamp has one spelling', () => {
  const good = String(NOW);
  const spellings = [
    '',
    `+${good}`,
    `-${good}`,
    `0${good}`,
    `${good}.0`,
    `${good} `,
    ` ${good}`,
    `${good}\n`,
    '1e3',
    '1764e6',
    '0x69',
    'NaN',
    'Infinity',
  ];
  for (const spelling of [
    ...spellings,
    '9'.repeat(16),
    '9'.repeat(100_000),
    '１７６４００００００',
    `${good}, ${good}`,
  ]) {
    const expected = spelling === '' ? 'missing_header' : 'bad_timestamp';
    expect(verdict(hmacKeys, { ...signedHeaders([v1]), 'webhook-timestamp': spelling }), spelling.slice(0, 20)).toBe(
      expected,
    );
  }
  expect(verdict(hmacKeys, { ...signedHeaders([v1]), 'webhook-timestamp': '0' })).toBe('too_old');
  expect(verdict(hmacKeys, { ...signedHeaders([v1]), 'webhook-timestamp': '9'.repeat(15) })).toBe('too_new');
});

test('an id that cannot be one is refused', () => {
  for (const id of ['a b', 'a.b', 'evt_1, evt_1', 'é', 'a\n', 'x'.repeat(257), 'x'.repeat(1_000_000)]) {
    expect(verdict(hmacKeys, { ...signedHeaders([v1]), 'webhook-id': id }), id.slice(0, 20)).toBe('bad_id');
  }
});

test('header names are found in any case, in a plain object, in one-element arrays and in Headers', () => {
  const headers = signedHeaders([v1]);
  const entries = Object.entries(headers);
  const shouted = Object.fromEntries(entries.map(([name, value]) => [name.toUpperCase(), value]));
  const listed = Object.fromEntries(entries.map(([name, value]) => [name, [value]]));
  for (const source of [headers, shouted, listed, new Headers(shouted)]) expect(verdict(hmacKeys, source)).toBe('ok');
});

test('a header that is missing or empty is refused', () => {
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
    for (const value of [undefined, null, '', [], 7, {}]) {
      expect(verdict(hmacKeys, { ...signedHeaders([v1]), [name]: value })).toBe('missing_header');
    }
  }
  for (const headers of [{}, null, undefined, 'webhook-id', 7, [], new Headers()]) {
    expect(verdict(hmacKeys, headers)).toBe('missing_header');
  }
});

test('a header that is there twice is refused, even with the same value', () => {
  const headers = signedHeaders([v1]);
  for (const [name, value] of Object.entries(headers)) {
    expect(verdict(hmacKeys, { ...headers, [name]: [value, value] })).toBe('duplicate_header');
    expect(verdict(hmacKeys, { ...headers, [name.toUpperCase()]: value })).toBe('duplicate_header');
  }
});

test('a text body is taken as UTF-8, and a body that was parsed is refused as such', () => {
  const headers = signedHeaders([v1], Buffer.from('{"a":"é"}'));
  expect(verdict(hmacKeys, headers, '{"a":"é"}')).toBe('ok');
  for (const body of [{ a: 'é' }, null, 7, []]) expect(verdict(hmacKeys, headers, body)).toBe('body_not_raw');
  expect(verifySignature(hmacKeys, headers, undefined as never, { nowMs: NOW * 1000 })).toEqual({
    ok: false,
    reason: 'body_not_raw',
  });
});

test('whatever comes in is answered, never thrown, and never accepted', () => {
  const keys = [...hmacKeys, ...publicKeys, parseVerifyingKey(`whpk_${Buffer.alloc(32, 255).toString('base64')}`)];
  const signature = fc.oneof(
    fc.string(),
    fc.string({ minLength: 44, maxLength: 44 }).map((text) => `v1,${text}`),
    fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => `v1a,${Buffer.from(bytes).toString('base64')}`),
  );
  const plausible = fc.record({
    'webhook-id': fc.oneof(fc.constant('evt_1'), fc.anything()),
    'webhook-timestamp': fc.oneof(fc.constant(String(NOW)), fc.anything()),
    'webhook-signature': fc.oneof(
      fc.array(signature).map((all) => all.join(' ')),
      fc.anything(),
    ),
  });
  fc.assert(
    fc.property(fc.oneof(plausible, fc.anything()), fc.oneof(fc.uint8Array(), fc.anything()), (headers, body) => {
      expect(verdict(keys, headers, body)).not.toBe('ok');
    }),
    { numRuns: 1000 },
  );
});

test('requireSignature gives the id and timestamp of a genuine webhook and throws the reason for any other', () => {
  const options = { nowMs: NOW * 1000 };
  expect(requireSignature(hmacKeys, signedHeaders([v1]), BODY, options)).toEqual({ id: 'evt_1', timestamp: NOW });
  const forged = () => requireSignature(hmacKeys, signedHeaders([v1]), randomBytes(8), options);
  expect(forged).toThrow(WebhookVerificationError);
  expect(forged).toThrow(expect.objectContaining({ reason: 'no_match' }));
});
