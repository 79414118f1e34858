import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { deliveryIdOf, newUuid } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

async function freshKey(): Promise<string> {
  const made = await call(service.baseUrl, 'POST', '/v1/tenants/acme/keys', { name: 'k', scopes: ['events:write'] });
  return made.body.key;
}

test('G4: whoever has a key that the process has not seen sends events while reads have every connection of the API', async () => {
  const { apiPool } = service.context;
  const authorization = `Bearer ${await freshKey()}`;
  const reads = await Promise.all(Array.from({ length: apiPool.options.max! }, () => apiPool.connect()));
  try {
    const event = { type: 'a.b', data: {} };
    const sent = await call(service.baseUrl, 'POST', '/v1/events', event, { authorization });
    expect(sent.status).toBe(202);
    const ofOperator = await call(service.baseUrl, 'POST', '/v1/events', { ...event, tenant_id: 'acme' });
    expect(ofOperator.status).toBe(202);
  } finally {
    for (const read of reads) read.release();
  }
});

const WAITING = `SELECT count(*)::int AS n FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%api_keys%' AND pid <> pg_backend_pid()`;

test('G4: keys that somebody makes up are looked for together, however many come, and one that is good has its answer with them', async () => {
  const { apiPool, authenticator } = service.context;
  const good = await freshKey();
  const holder = await apiPool.connect();
  // By another session: within a transaction, Postgres shows what the others do as it was when first asked.
  const waiting = async () => (await apiPool.query<{ n: number }>(WAITING)).rows[0]!.n;
  await holder.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE');
  const forged = () => `Bearer phk_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const asked = vi.spyOn(pg.Pool.prototype, 'query');
  const answers = Promise.allSettled([
    ...Array.from({ length: 500 }, () => authenticator.authenticate(forged())),
    authenticator.authenticate(`Bearer ${good}`),
  ]);
  try {
    expect(await eventually(waiting, (n) => n > 0)).toBe(1);
    const texts = asked.mock.calls.map((given) => JSON.stringify(given[0]));
    const looks = texts.filter((text) => text.includes('api_keys') && text !== JSON.stringify(WAITING));
    expect(looks).toHaveLength(1);
  } finally {
    asked.mockRestore();
    await holder.query('ROLLBACK');
    holder.release();
  }
  const settled = await answers;
  for (const answer of settled.slice(0, -1)) expect(answer).toMatchObject({ reason: { status: 401 } });
  expect(settled.at(-1)).toMatchObject({ value: { kind: 'tenant' } });
});

test('G4: statistics are counted, and deliveries changed that wait for a lock of the tenant, when it is its turn, and the documents say that there may be none', async () => {
  const { scanTurns, lockTurns } = service.context;
  const { paths } = (await call(service.baseUrl, 'GET', '/openapi.json')).body;
  const endpoint = await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url: 'https://example.com/' });
  const missing = deliveryIdOf(newUuid(Date.now()), 1);
  const takes = { scanTurns: vi.spyOn(scanTurns, 'take'), lockTurns: vi.spyOn(lockTurns, 'take') };
  try {
    for (const [method, path, operation, kind, turns, status, body] of [
      ['GET', `endpoints/${endpoint.body.id}/stats`, 'endpoints/{endpoint_id}/stats', 'scanTurns', 2, 200],
      ['GET', 'dead-letters/stats', 'dead-letters/stats', 'scanTurns', 1, 200],
      ['POST', 'dead-letters/purge', 'dead-letters/purge', 'lockTurns', 1, 200, { all: true }],
      ['POST', `deliveries/${missing}/retry`, 'deliveries/{delivery_id}/retry', 'lockTurns', 1, 404, {}],
      ['DELETE', 'events/no-such/payload', 'events/{event_id}/payload', 'lockTurns', 1, 404],
    ] as const) {
      for (const take of Object.values(takes)) take.mockClear();
      const answer = await call(service.baseUrl, method, `/v1/tenants/acme/${path}`, body);
      expect([path, answer.status, takes[kind].mock.calls.length]).toEqual([path, status, turns]);
      const { responses } = paths[`/v1/tenants/{tenant_id}/${operation}`][method.toLowerCase()];
      expect([path, responses]).toEqual([path, expect.objectContaining({ 429: expect.anything() })]);
    }
  } finally {
    for (const take of Object.values(takes)) take.mockRestore();
  }
});

test('G4: purges and retries of two tenants, which wait for their redrives one after the other, leave connections to others, and places to their lists, and none is turned away', async () => {
  const { apiPool, workerPool, recallTenant } = service.context;
  for (const id of ['beside', 'third']) await call(service.baseUrl, 'POST', '/v1/tenants', { id });
  const holder = await workerPool.connect();
  await holder.query('BEGIN');
  const retried = `deliveries/${deliveryIdOf(newUuid(Date.now()), 1)}/retry`;
  const calls: Promise<{ status: number }>[] = [];
  for (const id of ['acme', 'beside']) {
    await holder.query('SELECT pg_advisory_xact_lock(7405, $1)', [(await recallTenant(id))!.num]);
    for (let i = 0; i < 20; i++) {
      calls.push(call(service.baseUrl, 'POST', `/v1/tenants/${id}/dead-letters/purge`, { all: true }));
      calls.push(call(service.baseUrl, 'POST', `/v1/tenants/${id}/${retried}`, {}));
    }
  }
  const waiting = async () => (await holder.query(LOCKS)).rows[0].n as number;
  try {
    expect(await eventually(waiting, (count) => count === 2, 10_000)).toBe(2);
    // All have found out whose they are by then, and wait without a connection.
    const forConnection = async () => apiPool.waitingCount;
    expect(await eventually(forConnection, (count) => count === 0, 10_000)).toBe(0);
    for (const path of ['endpoints', 'deliveries', 'dead-letters'])
      expect((await call(service.baseUrl, 'GET', `/v1/tenants/third/${path}`)).status).toBe(200);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200, 404]));
});

const LOCKS = `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = 7405 AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
