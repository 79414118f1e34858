import fc from 'fast-check';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { expect, test } from 'vitest';
import { generateSecret } from './generate-secret.ts';
import { signWebhook } from './sign-webhook.ts';
import { parseSigningKey } from './signing-key.ts';
import { verifySignature } from './verify-signature.ts';
import { parseVerifyingKey } from './verifying-key.ts';

// Both libraries read a body as text, hence strings here; whole code points, since half of one has no bytes.
const jsonBody = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify({ text })),
);

const libraries = [
  ['standardwebhooks', StandardWebhook],
  ['svix', SvixWebhook],
] as const;

test.each(libraries)('%s verifies what we sign, also in the midst of a rotation', (_name, Webhook) => {
  const [older, newer] = [generateSecret('v1'), generateSecret('v1')];
  const keys = [newer, generateSecret('v1a'), older].map(parseSigningKey);
  fc.assert(
    fc.property(jsonBody, (body) => {
      const timestamp = Math.floor(Date.now() / 1000);
      const headers = {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signWebhook(keys, 'evt_1', timestamp, Buffer.from(body)),
      };
      for (const secret of [older, newer]) expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
      expect(() => new Webhook(older).verify(`${body} `, headers)).toThrow();
    }),
    { numRuns: 30 },
  );
});

test.each(libraries)('we verify what %s signs', (_name, Webhook) => {
  const secret = generateSecret('v1');
  const keys = [parseVerifyingKey(secret)];
  fc.assert(
    fc.property(jsonBody, (body) => {
      const now = new Date();
      const timestamp = Math.floor(now.getTime() / 1000);
      const headers = {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(timestamp),
        'webhook-signature': new Webhook(secret).sign('msg_1', now, body),
      };
      expect(verifySignature(keys, headers, Buffer.from(body))).toEqual({ ok: true, id: 'msg_1', timestamp });
      expect(verifySignature(keys, headers, Buffer.from(`${body} `)).ok).toBe(false);
    }),
    { numRuns: 30 },
  );
});

test('standardwebhooks verifies a body that is no JSON where it is told not to read it, and none that is no UTF-8', () => {
  const secret = generateSecret('v1');
  const headersOf = (body: Buffer) => {
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = signWebhook([parseSigningKey(secret)], 'evt_1', timestamp, body);
    return { 'webhook-id': 'evt_1', 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
  };
  const verify = (body: Buffer, options?: { jsonParse: boolean }) => () =>
    new StandardWebhook(secret).verify(body, headersOf(body), options);
  const [text, bytes] = [Buffer.from('no JSON, but ü'), Buffer.from([0xff, 0xd8, 0xff])];
  expect(verify(text)).toThrow(SyntaxError);
  expect(verify(text, { jsonParse: false })).not.toThrow();
  expect(verify(bytes, { jsonParse: false })).toThrow('No matching signature found');
  expect(verifySignature([parseVerifyingKey(secret)], headersOf(bytes), bytes)).toMatchObject({ ok: true });
});
