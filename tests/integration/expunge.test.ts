import { afterAll, beforeAll, expect, test } from 'vitest';
import { expungePayload } from '../../src/store/expunge.ts';
import { call } from '../support/api.ts';
import { makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'private');
  await makeEndpoint(service, tenant);
  await makeEndpoint(service, tenant);
});

afterAll(() => service.stop());

const ask = (method: string, path: string) => call(service.baseUrl, method, `/v1/tenants/private${path}`);
const audited = async (id: string) =>
  (await service.context.apiPool.query(`SELECT actor, action, after FROM audit_log WHERE object = $1`, [id])).rows;

test('expunging leaves the fact and takes the payload: out of the log, out of memory, and out of what waits', async () => {
  const event = {
    id: 'p-1',
    type: 'user.created',
    tenant_id: 'private',
    subject: 's',
    data: { ssn: 'secret-ssn' },
    metadata: { source: 'secret-source' },
  };
  const accepted = await call(service.baseUrl, 'POST', '/v1/events', event);
  expect(accepted.body.deliveries).toBe(2);
  const { rows } = await service.context.apiPool.query(`SELECT id FROM events WHERE external_id = 'p-1'`);
  expect(service.context.bodies.get(rows[0].id)).toBeDefined();

  expect((await ask('DELETE', '/events/p-1/payload')).status).toBe(204);

  const { body } = await ask('GET', '/events/p-1');
  expect(body).toMatchObject({
    id: 'p-1',
    type: 'user.created',
    subject: 's',
    data: null,
    expunged_at: expect.any(String),
  });
  expect(body).not.toHaveProperty('metadata');
  const stored = await service.context.apiPool.query(
    `SELECT count(*)::int AS n FROM events WHERE position('secret' IN convert_from(body, 'UTF8')) > 0`,
  );
  expect(stored.rows).toEqual([{ n: 0 }]);
  expect(service.context.bodies.get(rows[0].id)).toBeUndefined();
  const deliveries = (await ask('GET', '/events/p-1/deliveries')).body.data;
  expect(deliveries).toHaveLength(2);
  for (const delivery of deliveries) {
    expect(delivery).toMatchObject({
      status: 'cancelled',
      attempts: 0,
      last_attempt: { outcome: 'skipped', detail: 'payload_expunged' },
    });
    const retried = await call(service.baseUrl, 'POST', `/v1/tenants/private/deliveries/${delivery.id}/retry`);
    expect(retried).toMatchObject({ status: 409, body: { code: 'payload_expunged' } });
  }
  expect(await audited('p-1')).toEqual([
    { actor: 'operator', action: 'event.expunged', after: { deliveries_cancelled: 2 } },
  ]);
});

test('expunging again changes nothing', async () => {
  const before = await ask('GET', '/events/p-1');
  expect((await ask('DELETE', '/events/p-1/payload')).status).toBe(204);
  expect((await ask('GET', '/events/p-1')).body).toEqual(before.body);
  expect(await audited('p-1')).toHaveLength(1);
});

test('of an id that a producer used again, once it was free, every event is expunged', async () => {
  const send = (n: number) =>
    call(service.baseUrl, 'POST', '/v1/events', {
      id: 'p-again',
      type: 'user.created',
      tenant_id: 'private',
      data: { n },
    });
  expect((await send(1)).status).toBe(202);
  // As `IDEMPOTENCY_HOURS` leave it.
  await service.context.apiPool.query('DELETE FROM idempotency_keys');
  expect((await send(2)).status).toBe(202);
  const bodies = async () =>
    (
      await service.context.apiPool.query(
        `SELECT convert_from(body, 'UTF8')::json->>'data' AS data, expunged_at IS NOT NULL AS gone FROM events WHERE external_id = 'p-again'`,
      )
    ).rows;
  expect(await bodies()).toHaveLength(2);
  expect((await ask('DELETE', '/events/p-again/payload')).status).toBe(204);
  expect(await bodies()).toEqual(Array(2).fill({ data: null, gone: true }));
  expect(await audited('p-again')).toHaveLength(2);
});

test('an event that is unknown or another tenant’s cannot be expunged', async () => {
  await makeTenant(service, 'curious');
  expect((await ask('DELETE', '/events/p-2/payload')).status).toBe(404);
  expect((await call(service.baseUrl, 'DELETE', '/v1/tenants/curious/events/p-1/payload')).status).toBe(404);
});

test('G7: no statement of an expunge reaches an event of another tenant', async () => {
  const curious = await makeTenant(service, 'curious');
  const { apiPool } = service.context;
  const event = { id: 'p-3', type: 'user.created', tenant_id: 'private', data: { kept: true } };
  expect((await call(service.baseUrl, 'POST', '/v1/events', event)).status).toBe(202);
  const [{ id: uuid }] = (await apiPool.query(`SELECT id FROM events WHERE external_id = 'p-3'`)).rows;
  const empty = () => Buffer.from('{}');
  expect(await expungePayload(apiPool, curious, { uuid, publicId: 'p-3' }, 'operator', empty)).toBeNull();
  expect((await ask('GET', '/events/p-3')).body).toMatchObject({ data: { kept: true } });
  expect(await audited('p-3')).toEqual([]);
});
