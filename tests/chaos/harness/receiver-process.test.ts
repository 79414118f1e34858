import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateSecret } from '../../../src/signing/generate-secret.ts';
import { signWebhook } from '../../../src/signing/sign-webhook.ts';
import { parseSigningKey } from '../../../src/signing/signing-key.ts';
import { eventually } from '../../support/eventually.ts';
import type { Behaviour } from './behaviour.ts';
import type { LedgerRecord } from './ledger-writer.ts';
import { readLedger } from './read-ledger.ts';
import { ReceiverProcess } from './receiver-process.ts';

const secret = generateSecret('v1');
let folder: string;
let ledgerPath: string;
let receiver: ReceiverProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-chaos-receiver-'));
  ledgerPath = join(folder, 'ledger.tsv');
  receiver = await ReceiverProcess.start(ledgerPath, 1);
  receiver.trust(0, 'acme', [secret]);
});

afterEach(async () => {
  await receiver.close();
  await rm(folder, { recursive: true, force: true });
});

/** A delivery as the service makes it. @returns the status, or null when no answer came. */
async function deliver(event: number, more: { tenant?: string; spoil?: boolean; attempt?: number } = {}) {
  const { tenant = 'acme', spoil = false, attempt = 1 } = more;
  const body = Buffer.from(JSON.stringify({ tenant_id: tenant, data: { n: event, t: Date.now() } }));
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = signWebhook(
    [parseSigningKey(secret)],
    `evt_${event}`,
    timestamp,
    spoil ? Buffer.from('other') : body,
  );
  const headers = {
    'webhook-id': `evt_${event}`,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signature,
    'posthorn-delivery-id': `dlv_${event}`,
    'posthorn-attempt': String(attempt),
  };
  const answer = await fetch(`http://127.0.0.1:${receiver.port}/0`, { method: 'POST', headers, body }).catch(
    () => null,
  );
  await answer?.body?.cancel();
  return answer?.status ?? null;
}

async function ledger(): Promise<LedgerRecord[]> {
  await receiver.report();
  const records: LedgerRecord[] = [];
  for await (const record of readLedger(ledgerPath)) records.push(record);
  return records;
}

async function behave(behaviour: Behaviour): Promise<void> {
  receiver.behave(0, behaviour);
  await receiver.report();
}

test('every request is in the ledger with what it carried, and so is its answer', async () => {
  expect(await deliver(7, { attempt: 3 })).toBe(204);
  expect(await ledger()).toMatchObject([
    {
      kind: 'request',
      request: 1,
      endpoint: 0,
      event: 7,
      webhookId: 'evt_7',
      deliveryId: 'dlv_7',
      attempt: 3,
      isVerified: true,
      isOwn: true,
    },
    { kind: 'answer', request: 1, status: 204 },
  ]);
});

test('a wrong signature and another tenant’s event are written down as what they are', async () => {
  await deliver(1, { spoil: true });
  await deliver(2, { tenant: 'globex' });
  const requests = (await ledger()).filter((record) => record.kind === 'request');
  expect(requests).toMatchObject([
    { event: 1, isVerified: false, isOwn: true },
    { event: 2, isVerified: true, isOwn: false },
  ]);
});

test('a request that is held has no answer until it is released', async () => {
  await behave({ kind: 'hold' });
  const held = deliver(1);
  await eventually(
    () => receiver.report(),
    ({ inFlight }) => inFlight === 1,
  );
  expect(await ledger()).toHaveLength(1);
  receiver.release(0);
  expect(await held).toBe(204);
  expect(await ledger()).toMatchObject([{ kind: 'request' }, { kind: 'answer', status: 204 }]);
});

test('a reset is written down as no answer', async () => {
  await behave({ kind: 'reset' });
  expect(await deliver(1)).toBe(null);
  expect(await ledger()).toMatchObject([{ kind: 'request' }, { kind: 'answer', status: 0 }]);
});

test('behaviours nest: the first attempts of each delivery fail, then it succeeds', async () => {
  const failing: Behaviour = { kind: 'answer', status: 503, headers: { 'retry-after': '1' } };
  await behave({ kind: 'first', times: 2, of: 'delivery', these: failing, rest: { kind: 'answer', status: 200 } });
  const statuses = [];
  for (const attempt of [1, 2, 3]) statuses.push(await deliver(1, { attempt }));
  expect(statuses).toEqual([503, 503, 200]);
});

test('a body that never ends counts as answered with its 200, headers that never end as unanswered', async () => {
  await behave({ kind: 'misbehave', how: 'endless-body' });
  expect(await deliver(1)).toBe(200);
  await behave({ kind: 'misbehave', how: 'two-lengths' });
  await deliver(2);
  const answers = async () => (await ledger()).filter((record) => record.kind === 'answer');
  await eventually(answers, (found) => found.length === 2);
  expect(await answers()).toMatchObject([
    { request: 1, status: 200 },
    { request: 2, status: 0 },
  ]);
});
