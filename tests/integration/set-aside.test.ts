import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { readFigures } from '../../src/store/installation-figures.ts';
import { call } from '../support/api.ts';
import {
  logEvent,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;
let endpoint: TestEndpoint;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  endpoint = await makeEndpoint(service, tenant);
});

afterAll(() => service.stop());

const get = (path: string) => call(service.baseUrl, 'GET', `/v1/tenants/${tenant.id}${path}`);
const post = (path: string) => call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}${path}`, {});
const list = async (query = '') => (await call(service.baseUrl, 'GET', `/v1/set-aside-deliveries${query}`)).body;
const MIGRATION = 'prisma/migrations/20261130121500_left_set_aside_marks/migration.sql';
const counted = async () => (await readFigures(service.context.workerPool)).deliveries_set_aside;
const marks = async () => (await service.context.apiPool.query('SELECT 1 FROM poisoned_deliveries')).rowCount;

/** A delivery as `reviewSuspects` leaves it. */
async function setAside() {
  const eventUuid = await logEvent(service, tenant, 'a.b');
  await logWaiting(service, tenant, eventUuid, endpoint);
  const { apiPool } = service.context;
  await apiPool.query(`UPDATE mailbox SET parked = true, due_at = 'infinity' WHERE event_id = $1`, [eventUuid]);
  await apiPool.query(
    `INSERT INTO poisoned_deliveries (event_id, endpoint_num, tenant_num, crashes, reason) VALUES ($1, $2, $3, 3, 'It killed.')`,
    [eventUuid, endpoint.num, tenant.num],
  );
  return { eventUuid, id: deliveryIdOf(eventUuid, endpoint.num) };
}

test('a delivery that was set aside waits, shows why, and has no next attempt; a retry makes it due, where it is fetched', async () => {
  const { id, eventUuid } = await setAside();
  const shown = { id, status: 'pending', next_attempt_at: null, problem: 'It killed.' };
  expect((await get(`/deliveries/${id}`)).body).toMatchObject(shown);
  expect((await get('/deliveries')).body.data).toMatchObject([shown]);
  expect((await list()).data).toMatchObject([{ delivery_id: id, endpoint_id: endpoint.id, crashes: 3 }]);
  const retried = await post(`/deliveries/${id}/retry`);
  expect(retried).toMatchObject({
    status: 202,
    body: { status: 'pending', problem: null, next_attempt_at: expect.any(String) },
  });
  const { rows } = await service.context.apiPool.query('SELECT parked FROM mailbox WHERE event_id = $1', [eventUuid]);
  expect(rows).toEqual([{ parked: false }]);
  expect(await list()).toEqual({ data: [], next: null });
});

test('a retry of another delivery that is parked leaves it where its endpoint finds it', async () => {
  const eventUuid = await logEvent(service, tenant, 'a.b');
  await logWaiting(service, tenant, eventUuid, endpoint);
  const { apiPool } = service.context;
  await apiPool.query('UPDATE mailbox SET parked = true WHERE event_id = $1', [eventUuid]);
  expect((await post(`/deliveries/${deliveryIdOf(eventUuid, endpoint.num)}/retry`)).status).toBe(202);
  const { rows } = await apiPool.query('SELECT parked FROM mailbox WHERE event_id = $1', [eventUuid]);
  expect(rows).toEqual([{ parked: true }]);
});

test('one that is cancelled, or whose payload is expunged, is set aside no longer', async () => {
  const [cancelled, expunged] = [await setAside(), await setAside()];
  expect((await post(`/deliveries/${cancelled.id}/cancel`)).body).toMatchObject({ status: 'cancelled', problem: null });
  expect(await marks()).toBe(1);
  const { body } = await get(`/deliveries/${expunged.id}`);
  const path = `/v1/tenants/${tenant.id}/events/${body.event_id}/payload`;
  expect((await call(service.baseUrl, 'DELETE', path)).status).toBe(204);
  expect((await get(`/deliveries/${expunged.id}`)).body).toMatchObject({ status: 'cancelled', problem: null });
  expect((await list()).data).toEqual([]);
  expect(await marks()).toBe(0);
});

test('those of an endpoint that is deleted are set aside no longer', async () => {
  await setAside();
  const other = await makeEndpoint(service, tenant);
  await service.context.apiPool.query('UPDATE mailbox SET endpoint_num = $1', [other.num]);
  await service.context.apiPool.query('UPDATE poisoned_deliveries SET endpoint_num = $1', [other.num]);
  expect([(await list()).data.length, await counted(), await marks()]).toEqual([1, 1, 1]);
  await call(service.baseUrl, 'DELETE', `/v1/tenants/${tenant.id}/endpoints/${other.id}`);
  expect([(await list()).data.length, await counted(), await marks()]).toEqual([0, 0, 0]);
});

test('what is counted is what is listed: marks that earlier versions left are not, and an upgrade takes them away', async () => {
  const [there, gone] = [await setAside(), await setAside()];
  await service.context.apiPool.query('DELETE FROM mailbox WHERE event_id = $1', [gone.eventUuid]);
  expect([(await list()).data.length, await counted(), await marks()]).toEqual([1, 1, 2]);
  await service.context.apiPool.query(await readFile(MIGRATION, 'utf8'));
  expect([(await list()).data.length, await counted(), await marks()]).toEqual([1, 1, 1]);
  await post(`/deliveries/${there.id}/cancel`);
});

test('the list goes on from page to page, and is for the operator alone', async () => {
  const ids = [await setAside(), await setAside(), await setAside()].map(({ id }) => id);
  const first = await list('?limit=2');
  const second = await list(`?limit=2&cursor=${first.next}`);
  const listed = [...first.data, ...second.data].map(({ delivery_id }: { delivery_id: string }) => delivery_id);
  expect(listed).toEqual(ids.toSorted());
  expect(second.next).toBeNull();
  const { body } = await call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}/keys`, {
    name: 'reader',
    scopes: ['deliveries:read'],
  });
  const authorization = `Bearer ${body.key}`;
  expect((await call(service.baseUrl, 'GET', '/v1/set-aside-deliveries', undefined, { authorization })).status).toBe(
    403,
  );
});
