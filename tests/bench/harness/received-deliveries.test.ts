import { expect, test } from 'vitest';
import { generateSecret } from '../../../src/signing/generate-secret.ts';
import { signWebhook } from '../../../src/signing/sign-webhook.ts';
import { parseSigningKey } from '../../../src/signing/signing-key.ts';
import { ReceivedDeliveries } from './received-deliveries.ts';

const plan = { run: 'r', tenants: 1, groups: 2, fanOut: 2 };
const request = (endpoint: number, webhookId: string) => ({ endpoint, webhookId, head: '', body: Buffer.alloc(0) });

test('a delivery counts once, its second coming as a duplicate, and one to the wrong endpoint as a stranger', () => {
  const received = new ReceivedDeliveries(plan);
  received.take(request(0, 'r-0'), true);
  received.take(request(1, 'r-0'), true);
  received.take(request(1, 'r-0'), true);
  received.take(request(2, 'r-0'), true);
  received.take(request(0, 'other-0'), true);
  expect(received.counts()).toMatchObject({ requests: 5, delivered: 2, duplicates: 1, strangers: 2 });
});

test('a request that is refused is no delivery, and its repetition no duplicate', () => {
  const received = new ReceivedDeliveries(plan);
  received.take(request(2, 'r-1'), false);
  received.take(request(2, 'r-1'), true);
  expect(received.counts()).toMatchObject({ requests: 2, delivered: 1, duplicates: 0 });
});

test('numbers far apart are told apart, and the time of each first coming is kept', () => {
  const received = new ReceivedDeliveries(plan);
  for (const n of [300_000, 4, 300_000]) received.take(request(0, `r-${n}`), true);
  expect(received.counts()).toMatchObject({ delivered: 2, duplicates: 1 });
  const times = received.times();
  expect(times.length).toBe(300_001);
  expect(times[4]).toBeGreaterThanOrEqual(times[300_000]!);
  expect(times[5]).toBe(0);
});

test('a signature that does not hold is counted', () => {
  const secret = generateSecret('v1');
  const received = new ReceivedDeliveries(plan);
  received.trust({ 0: secret });
  const seconds = Math.floor(Date.now() / 1_000);
  const body = Buffer.from('{}');
  const send = (n: number, signed: Buffer) => {
    const signature = signWebhook([parseSigningKey(secret)], `r-${n}`, seconds, signed);
    const head = `POST /0 HTTP/1.1\r\nwebhook-id: r-${n}\r\nwebhook-timestamp: ${seconds}\r\nwebhook-signature: ${signature}`;
    received.take({ endpoint: 0, webhookId: `r-${n}`, head, body }, true);
  };
  for (let n = 0; n < 100; n += 2) send(n, body);
  for (let n = 100; n < 200; n += 2) send(n, Buffer.from('{"a":1}'));
  expect(received.counts()).toMatchObject({ verified: 1, forged: 1 });
});
