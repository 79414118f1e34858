import pg from 'pg';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { logAttempt, logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { onServer } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

type Calls = readonly (readonly [method: string, path: string, body?: object])[];

/** Every call that changes something, each of which would succeed. */
async function changes(): Promise<Calls> {
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant);
  const [waiting, dead] = [await logEvent(service, tenant), await logEvent(service, tenant)];
  await logWaiting(service, tenant, waiting, endpoint);
  await logAttempt(service, tenant, dead, endpoint, 1, 'rejected', 'deadLetter');
  const [waits, died] = [waiting, dead].map((uuid) => deliveryIdOf(uuid, endpoint.num));
  const done = async (path: string, body: object, method = 'POST') =>
    (await call(service.baseUrl, method, path, body)).body.id as string;
  const key = await done('/v1/tenants/acme/keys', {});
  const replay = await done('/v1/tenants/acme/replays', {});
  const source = await done('/v1/sources', kafkaSource('127.0.0.1:1', ['orders'], { tenant_id: undefined }));
  await done('/v1/tenants/acme/event-types/a.b/versions/1.0', { schema: {} }, 'PUT');
  const root = '/v1/tenants/acme';
  const one = `${root}/endpoints/${endpoint.id}`;
  return [
    ['POST', '/v1/events', { type: 'a.c', tenant_id: 'acme', data: 1 }],
    ['POST', '/v1/tenants', { id: 'globex' }],
    ['PATCH', root, { name: 'Acme' }],
    ['POST', `${root}/keys`, {}],
    ['DELETE', `${root}/keys/${key}`],
    ['POST', `${root}/endpoints`, { url: 'https://a.example/' }],
    ['PATCH', one, { description: 'One.' }],
    ['POST', `${one}/secret/rotate`, {}],
    ['POST', `${one}/test`, {}],
    ['POST', `${one}/breaker/reset`],
    ['POST', `${root}/deliveries/${waits}/cancel`],
    ['POST', `${root}/deliveries/${died}/retry`],
    ['POST', `${root}/dead-letters/purge`, { delivery_ids: [died] }],
    ['POST', `${root}/replays`, {}],
    ['DELETE', `${root}/replays/${replay}`],
    ['DELETE', `${root}/events/${eventIdOf(dead)}/payload`],
    ['PUT', `${root}/event-types/a.b/versions/1.1`, { schema: {} }],
    ['PATCH', `${root}/event-types/a.b`, { description: 'A type.' }],
    ['PATCH', `${root}/event-types/a.b/versions/1.0`, { state: 'deprecated' }],
    ['POST', '/v1/sources', kafkaSource('127.0.0.1:1', ['others'], { tenant_id: undefined })],
    ['POST', `/v1/sources/${source}/pause`],
    ['DELETE', `/v1/sources/${source}`],
    ['DELETE', one],
    ['DELETE', root],
  ];
}

/** What Postgres says of every session from now on, as a standby does before it is promoted. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  const name = new URL(service.databaseUrl).pathname.slice(1);
  const server = inject('serverUrl');
  await onServer(server, `ALTER DATABASE ${name} SET default_transaction_read_only = ${isReadOnly}`);
  await onServer(server, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
}

/** Makes each call, which must be refused for now. */
async function refuseAll(calls: Calls): Promise<void> {
  const refused: unknown[] = [];
  for (const [method, path, body] of calls) {
    const { status, headers } = await call(service.baseUrl, method, path, body);
    refused.push([method, path, status, Number(headers.get('retry-after')) > 0]);
  }
  expect(refused).toEqual(calls.map(([method, path]) => [method, path, 503, true]));
}

test('while Postgres takes no writes, as a standby that is not promoted yet, every change is refused with 503 and reads are answered; then it is made', async () => {
  const calls = await changes();
  await setReadOnly(true);
  await refuseAll(calls);
  for (const path of ['/v1/tenants', '/v1/tenants/acme/endpoints', '/v1/tenants/acme/deliveries'])
    expect([path, (await call(service.baseUrl, 'GET', path)).status]).toEqual([path, 200]);
  await setReadOnly(false);
  for (const [method, path, body] of calls) {
    // A connection that was ended may still be taken for one that is open: who meets it is asked to try again.
    const { status } = await eventually(
      () => call(service.baseUrl, method, path, body),
      (answer) => answer.status !== 503,
    );
    expect([method, path, status < 300]).toEqual([method, path, true]);
  }
});

test('a change that others keep from its row for too long is refused with 503', async () => {
  await makeTenant(service, 'locked');
  const blocker = new pg.Client({ connectionString: service.databaseUrl });
  await blocker.connect();
  onTestFinished(() => blocker.end());
  await blocker.query(`BEGIN; SELECT 1 FROM tenants WHERE id = 'locked' FOR UPDATE`);
  await refuseAll([['PATCH', '/v1/tenants/locked', { name: 'Locked' }]]);
});
