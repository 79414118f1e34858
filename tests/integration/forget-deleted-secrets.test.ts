import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { cancelForDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { forgetSecretsOfDeleted } from '../../src/store/forget-secrets-of-deleted.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

let tenantId = '';
let tenants = 0;

beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: tenantId });
});

const query = async (text: string, values: unknown[] = []) =>
  (await service.context.workerPool.query(text, values)).rows;
const forget = () => forgetSecretsOfDeleted(service.context.workerPool);

/** With a secret, headers and a password. */
async function addEndpoint(): Promise<{ id: string; num: number }> {
  const destination = {
    type: 'rabbitmq',
    hosts: ['rabbit.example'],
    exchange: 'events',
    username: 'u',
    password: 'hunter2-hunter2',
  };
  const settings = { destination, headers: { 'x-token': '1' } };
  const { body } = await call(service.baseUrl, 'POST', `/v1/tenants/${tenantId}/endpoints`, settings);
  const [row] = await query('SELECT id, num FROM endpoints WHERE id = $1', [body.id]);
  return row;
}

const remove = ({ id }: { id: string }) => call(service.baseUrl, 'DELETE', `/v1/tenants/${tenantId}/endpoints/${id}`);

const sealedOf = async ({ num }: { num: number }) => {
  const [row] = await query(
    `SELECT headers_sealed IS NOT NULL AS headers, destination_sealed IS NOT NULL AS password,
            (SELECT count(*)::int FROM endpoint_secrets WHERE endpoint_num = num) AS secrets FROM endpoints WHERE num = $1`,
    [num],
  );
  return row;
};
const ALL = { headers: true, password: true, secrets: 1 };
const NONE = { headers: false, password: false, secrets: 0 };

async function cancelAll(): Promise<void> {
  while (await cancelForDeletedEndpoints(service.context.workerPool));
}

test('G7: what was sealed for an endpoint is forgotten once it is deleted and nothing of it waits; others keep theirs', async () => {
  const [kept, gone] = [await addEndpoint(), await addEndpoint()];
  await remove(gone);
  await cancelAll();
  expect(await sealedOf(gone)).toEqual(ALL);
  expect(await forget()).toBe(1);
  expect([await sealedOf(kept), await sealedOf(gone)]).toEqual([ALL, NONE]);
  expect(await forget()).toBe(0);
});

test('while something of a deleted endpoint waits it keeps what was sealed for it', async () => {
  const endpoint = await addEndpoint();
  const late = await addEndpoint();
  for (const each of [endpoint, late]) await remove(each);
  await cancelAll();
  await query('UPDATE endpoints SET cancelled_at = NULL WHERE num = $1', [late.num]);
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) SELECT $1, now(), num, tenant_num, 0 FROM endpoints WHERE num = $2`,
    [newUuid(Date.now()), late.num],
  );
  expect(await forget()).toBe(1);
  expect([await sealedOf(endpoint), await sealedOf(late)]).toEqual([NONE, ALL]);
  await cancelAll();
  await cancelAll();
  expect(await forget()).toBe(1);
  expect(await sealedOf(late)).toEqual(NONE);
});

test('those of a deleted tenant go with it, and what comes late for such an endpoint finds it deleted, not unusable', async () => {
  const endpoint = await addEndpoint();
  await query(`UPDATE endpoint_secrets SET sealed = '\\x00' WHERE endpoint_num = $1`, [endpoint.num]);
  expect((await call(service.baseUrl, 'DELETE', `/v1/tenants/${tenantId}`)).status).toBe(204);
  await cancelAll();
  expect(await forget()).toBe(1);
  const { workerPool, vault } = service.context;
  const defaults = { retryScheduleMs: [0], timeoutMs: 1_000, maxInFlight: 1 };
  const loaded = (await loadTargets(workerPool, vault, defaults, [endpoint.num])).get(endpoint.num);
  expect(loaded).toMatchObject({ kind: 'target', target: { deleted: true, secrets: [], headers: {} } });
});

test('however many endpoints there are, each statement looks at a part of them', async () => {
  const endpoints = [await addEndpoint(), await addEndpoint(), await addEndpoint()];
  for (const each of endpoints) await remove(each);
  await cancelAll();
  expect(await forgetSecretsOfDeleted(service.context.workerPool, undefined, 1)).toBe(3);
  for (const each of endpoints) expect(await sealedOf(each)).toEqual(NONE);
});

test('those that were emptied are not looked at again, nor those that are there', async () => {
  for (const gone of [await addEndpoint(), await addEndpoint()]) await remove(gone);
  await addEndpoint();
  await cancelAll();
  const { workerPool } = service.context;
  let statements = 0;
  const query = (text: string, values: unknown[]) => {
    statements++;
    return workerPool.query(text, values);
  };
  const counted = Object.assign(Object.create(workerPool), { query });
  expect(await forgetSecretsOfDeleted(counted, undefined, 1)).toBe(2);
  statements = 0;
  expect(await forgetSecretsOfDeleted(counted, undefined, 1)).toBe(0);
  expect(statements).toBe(1);
});

test('while another process is at it nothing is done, and whoever is at it pauses between statements', async () => {
  for (const gone of [await addEndpoint(), await addEndpoint()]) await remove(gone);
  await cancelAll();
  const { workerPool } = service.context;
  const other = await workerPool.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock(7408)');
    expect(await forget()).toBe(0);
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  const times: number[] = [];
  const query = async (text: string, values: unknown[]) => {
    const startedAt = performance.now();
    const result = await workerPool.query(text, values);
    times.push(startedAt, performance.now());
    return result;
  };
  expect(await forgetSecretsOfDeleted(Object.assign(Object.create(workerPool), { query }), undefined, 1)).toBe(2);
  const [startedAt, endedAt, goesOnAt] = times as [number, number, number];
  // A timer may be a millisecond early.
  expect(goesOnAt - endedAt).toBeGreaterThanOrEqual(2 * (endedAt - startedAt) - 1);
});
