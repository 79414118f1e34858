import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signWebhook } from '../../src/signing/sign-webhook.ts';
import { parseSigningKey } from '../../src/signing/signing-key.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

let place: string;
let server: Receiver;

/** A folder of somebody who has installed the package, and nothing else of ours. */
beforeAll(async () => {
  [place, server] = await Promise.all([mkdtemp(join(tmpdir(), 'posthorn-client-')), startReceiver()]);
  await run('npm', ['pack', '--silent', '--pack-destination', place], { cwd: join(ROOT, 'clients/typescript') });
  const [archive = ''] = await readdir(place);
  await writeFile(join(place, 'package.json'), '{"type": "module", "private": true}');
  const flags = ['--offline', '--no-audit', '--no-fund', '--no-package-lock'];
  await run('npm', ['install', ...flags, `./${archive}`], { cwd: place });
});

afterAll(async () => {
  await server.close();
  await rm(place, { recursive: true, force: true });
});

test('the package has what it needs, and neither tests nor sources', async () => {
  const packed = await readdir(join(place, 'node_modules/posthorn-client'), { recursive: true });
  expect(packed).toEqual(expect.arrayContaining(['README.md', 'dist/LICENSE', 'dist/clients/typescript/src/index.js']));
  expect(packed.filter((name) => /(?<!\.d)\.ts$|test|fake/.test(name))).toEqual([]);
});

test('plain JavaScript sends events and verifies webhooks with it', async () => {
  server.behave((_, response) => {
    response.writeHead(202, { 'content-type': 'application/json' });
    response.end('{"id": "evt_1", "status": "accepted", "deliveries": 2}');
  });
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = signWebhook([parseSigningKey(SECRET)], 'evt_1', timestamp, Buffer.from('{}'));
  const headers = { 'webhook-id': 'evt_1', 'webhook-timestamp': `${timestamp}`, 'webhook-signature': signature };
  await writeFile(
    join(place, 'producer.js'),
    `import { Posthorn, PosthornError, SendError } from 'posthorn-client';
import { parseVerifyingKey, requireSignature } from 'posthorn-client/webhooks';
const client = new Posthorn({ url: ${JSON.stringify(server.url)}, key: 'key' });
const { status } = await client.send({ id: 'evt_1', type: 'a', data: {} });
const { id } = requireSignature([parseVerifyingKey('${SECRET}')], ${JSON.stringify(headers)}, '{}');
console.log(status, id, new SendError([]) instanceof Error, PosthornError.name);`,
  );
  const { stdout } = await run(process.execPath, ['producer.js'], { cwd: place });
  expect(stdout).toBe('accepted evt_1 true PosthornError\n');
});

const consumer = `import { type Delivery, type NewEvent, Posthorn, PosthornError, SendError } from 'posthorn-client';
const client = new Posthorn({ url: 'http://posthorn.test', key: 'key' });
const event: NewEvent = { type: 'a', data: {} };
const stored: 'accepted' | 'duplicate' = (await client.send(event)).status;
const params = { tenant_id: 'acme' };
for await (const delivery of client.list('GET /v1/tenants/{tenant_id}/deliveries', { params, query: { status: 'delivered' } })) {
  const { next_attempt_at }: Delivery = delivery;
  void next_attempt_at;
}
const { key }: { key: string } = await client.request('POST /v1/tenants/{tenant_id}/keys', { params });
const gone: undefined = await client.request('DELETE /v1/tenants/{tenant_id}', { params });
await client.send([event]).catch((error: unknown) => {
  if (error instanceof SendError) for (const outcome of error.outcomes) if (outcome.status === 'refused') throw Object.assign(outcome.error, { code: outcome.code.trim(), text: outcome.text });
  if (error instanceof PosthornError && error.code === 'rate_limited') throw error;
});
// @ts-expect-error: no such call
await client.request('GET /v1/nothing');
// @ts-expect-error: the tenant is missing
await client.request('GET /v1/tenants/{tenant_id}');
// @ts-expect-error: one of the two needs a tenant
await client.request('GET /v1/tenants' as 'GET /v1/tenants' | 'GET /v1/tenants/{tenant_id}');
await client.send(event as NewEvent | readonly NewEvent[]);
await client.request('POST /v1/events', { body: [event] as readonly NewEvent[] });
const texts: string[] = (await client.sendTexts(['{}'])).map(({ text }) => text);
// @ts-expect-error: it takes no fields
await client.request('POST /v1/tenants/{tenant_id}/deliveries/{delivery_id}/retry', { params: { ...params, delivery_id: 'd' }, body: { a: 1 } });
// @ts-expect-error: no such status
client.list('GET /v1/tenants/{tenant_id}/deliveries', { params, query: { status: 'lost' } });
// @ts-expect-error: no list
client.list('GET /v1/tenants/{tenant_id}', { params });
// @ts-expect-error: an event has data
await client.send({ type: 'a' });
export { gone, key, stored, texts };
`;

const receiver = `import { verifyWebhook } from 'posthorn-client/webhooks';
verifyWebhook({ secrets: ['whsec_'] });
`;

test.each([
  ['on Node', receiver + consumer, ['--module', 'nodenext', '--lib', 'es2022', '--types', 'node']],
  ['for a bundler', consumer, ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom']],
])('TypeScript knows its types, %s', async (_, text, more) => {
  await writeFile(join(place, 'consumer.ts'), text);
  await mkdir(join(place, 'node_modules/@types'), { recursive: true });
  for (const name of ['@types/node', 'undici-types'])
    await symlink(join(ROOT, 'node_modules', name), join(place, 'node_modules', name)).catch(() => {});
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', ...more];
  // What it prints is what is wrong.
  const { stdout } = await run(process.execPath, [tsc, ...flags, 'consumer.ts'], { cwd: place }).catch((e) => e);
  expect(stdout).toBe('');
});
