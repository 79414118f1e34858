import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { type AppendGroup, appendEvents } from '../../src/store/event-log.ts';
import type { CallBehind } from '../../src/store/lane-calls.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { createPool } from '../../src/store/pools.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({
    databaseUrl: database.url,
    name: 'ingest',
    size: 2,
    connectMs: 30_000,
    statementMs: 30_000,
    pipeline: true,
    onError: () => {},
  });
  await ensurePartitions(pool, Date.now());
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const group = (routingVersion = 1n): AppendGroup => ({
  events: [
    {
      uuid: newUuid(Date.now()),
      tenantNum: 1,
      tenantId: 'acme',
      type: 'a',
      subject: null,
      externalId: null,
      body: Buffer.from('{}'),
    },
  ],
  claims: [],
  deliveries: [],
  routing: new Map([[1, routingVersion]]),
  keysExpireBefore: '00000000-0000-0000-0000-000000000000',
});

/** A call that stands for what it tells: how often it failed, and a promise of its end. */
function callOf(text: string) {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const failures: unknown[] = [];
  const call: CallBehind = {
    query: { name: `call ${text}`, text, values: [] },
    failed: (error) => failures.push((error as Error).message),
    settled: resolve,
  };
  return { call, failures, settled };
}

test('neither a commit nor the next one waits for the call behind it', async () => {
  const blocker = new pg.Client({ connectionString: database.url });
  await blocker.connect();
  await blocker.query('SELECT pg_advisory_lock(1, 2)');
  const { call, failures, settled } = callOf('SELECT pg_advisory_xact_lock(1, 2)');
  // Were either to wait, nobody would open the lock.
  expect(await appendEvents(pool, group(), call)).toEqual({ kind: 'stored' });
  expect(await appendEvents(pool, group())).toEqual({ kind: 'stored' });
  await blocker.end();
  await settled;
  expect(failures).toEqual([]);
});

test('a call that fails is told, and fails nothing but itself', async () => {
  const { call, failures, settled } = callOf('SELECT 1 / 0');
  expect(await appendEvents(pool, group(), call)).toEqual({ kind: 'stored' });
  await settled;
  expect(failures).toEqual(['division by zero']);
  expect(await appendEvents(pool, group())).toEqual({ kind: 'stored' });
});

test('a call is settled where nothing was stored, and where there was no connection to be had', async () => {
  const refused = callOf('SELECT 1');
  expect(await appendEvents(pool, group(7n), refused.call)).toMatchObject({ kind: 'routing_changed' });
  await refused.settled;
  const nowhere = new pg.Pool({ host: '127.0.0.1', port: 1, user: 'nobody' });
  const unsent = callOf('SELECT 1');
  await expect(appendEvents(nowhere, group(), unsent.call)).rejects.toThrow('ECONNREFUSED');
  await unsent.settled;
});
