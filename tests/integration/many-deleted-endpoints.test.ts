import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultSettings } from '../../src/api/endpoint-input.ts';
import { newId } from '../../src/domain/ids.ts';
import { generateSecret } from '../../src/signing/generate-secret.ts';
import { systemSubscribers } from '../../src/store/announcement-facts.ts';
import { claimValidations } from '../../src/store/endpoint-validations.ts';
import { createEndpoint, MAX_NEW_ENDPOINTS } from '../../src/store/endpoints.ts';
import { countWaitingOf } from '../../src/store/ingest-demand.ts';
import type { PrismaClient, Transaction } from '../../src/store/prisma.ts';
import { loadLightRouting, loadRouting } from '../../src/store/routing.ts';
import { call } from '../support/api.ts';
import { makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const DELETED = 5_000;
/** Rows of `endpoints` that a look at three of them may read: each of them more than once, and some that are in the pages beside them. */
const FEW = 100;

let service: TestService;
let tenant: TestTenant;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  for (let i = 0; i < 3; i++) await makeEndpoint(service, tenant, { subscriptions: [{ types: ['system.**'] }] });
  await query(
    service.databaseUrl,
    `INSERT INTO endpoints (id, tenant_num, url, subscriptions, validation, validation_state, validation_due_at, deleted_at)
     SELECT 'ep_' || i, $1, 'https://x.example', '[{"types":["system.**"]}]', 'cloudevents', 'pending', now(), now() FROM generate_series(1, $2::int) i`,
    [tenant.num, DELETED],
  );
  await query(service.databaseUrl, 'ANALYZE endpoints');
});

afterAll(() => service.stop());

// As the session itself counts them, since it told of them last.
const READ = `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables WHERE relname = 'endpoints'`;

/** How many rows of `endpoints` are read by the statements that `work` makes by the pool. */
async function readBy(work: (pool: pg.Pool) => Promise<unknown>): Promise<number> {
  const client = await service.context.apiPool.connect();
  const readSoFar = async () => (await client.query<{ read: number }>(READ)).rows[0]!.read;
  try {
    await client.query('BEGIN');
    const before = await readSoFar();
    await work(client as unknown as pg.Pool);
    return (await readSoFar()) - before;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

test.each<[string, (pool: pg.Pool) => Promise<unknown>]>([
  ['its routing is read', (pool) => loadRouting(pool, tenant.num, new Map())],
  ['its routing is read with that of others', (pool) => loadLightRouting(pool, [tenant.num])],
  ['what waits for it is counted', (pool) => countWaitingOf(pool, new Map([[tenant.num, 1_000]]))],
  ['who wants system events is looked for', (pool) => systemSubscribers(pool, [tenant.num])],
  ['questions to receivers are looked for', (pool) => claimValidations(pool, 10, 1_000)],
])('G4: endpoints that a tenant has deleted are not stepped over when %s', async (_what, work) => {
  expect(await readBy(work)).toBeLessThan(FEW);
});

test('G4: a tenant with few endpoints is read together with others, however many it has deleted', async () => {
  const routing = (await loadLightRouting(service.context.apiPool, [tenant.num])).get(tenant.num);
  expect(routing).toMatchObject({ endpoints: [{}, {}, {}] });
});

test('G4: who deletes endpoints and makes others, without end, may make a number of them within a day', async () => {
  const other = await makeTenant(service, 'looping');
  const addMade = (count: number, atMs: number) =>
    query(
      service.databaseUrl,
      `INSERT INTO endpoints (id, tenant_num, url, deleted_at) SELECT id, $1, 'https://x.example', now() FROM unnest($2::text[]) AS ids(id)`,
      [other.num, Array.from({ length: count }, () => newId('ep', atMs))],
    );
  const make = () =>
    call(service.baseUrl, 'POST', `/v1/tenants/${other.id}/endpoints`, { url: 'https://receiver.example/hook' });
  // The first in time: ids of one process rise.
  await addMade(100, Date.now() - 2 * 86_400_000);
  await addMade(MAX_NEW_ENDPOINTS - 1, Date.now() - 3_600_000);
  expect((await make()).status).toBe(201);
  const refused = { code: 'too_many_endpoints', detail: expect.stringContaining('20000 endpoints within a day') };
  expect(await make()).toMatchObject({ status: 409, body: refused });
  await query(service.databaseUrl, 'DELETE FROM endpoints WHERE tenant_num = $1 AND deleted_at IS NOT NULL', [
    other.num,
  ]);
});

test('G4: nor are they while a new one is made, and the commits of others wait', async () => {
  let read = 0;
  const { prisma } = service.context;
  const watched = {
    $queryRaw: prisma.$queryRaw.bind(prisma),
    $transaction: (work: (transaction: Transaction) => Promise<unknown>) =>
      prisma.$transaction(async (transaction) => {
        const readSoFar = async () => (await transaction.$queryRawUnsafe<{ read: number }[]>(READ))[0]!.read;
        const before = await readSoFar();
        const result = await work(transaction);
        read = (await readSoFar()) - before;
        return result;
      }),
  } as unknown as PrismaClient;
  const settings = { ...defaultSettings, destination: { type: 'http' as const, url: 'https://x.example/' } };
  const store = { ...service.context, prisma: watched };
  const made = await createEndpoint(store, tenant, settings, generateSecret('v1'), {
    kind: 'operator',
    actor: 'operator',
  });
  expect(made.kind).toBe('created');
  expect(read).toBeLessThan(FEW);
});
