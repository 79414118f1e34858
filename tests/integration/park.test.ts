import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acquireLanes } from '../../src/store/lanes.ts';
import { parkDeliveries } from '../../src/store/park.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

test('a former owner of a lane parks nothing: only the owner may take rows from where they are fetched', async () => {
  const row = { eventUuid: '00000000-0000-7000-8000-000000000001', endpointNum: 1 };
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() - interval '1 ms', 1, 1, 3)`,
    [row.eventUuid],
  );
  const isParked = async () => (await pool.query('SELECT parked FROM mailbox')).rows[0].parked;
  const former = await acquireLanes(pool, 'former', [3]);
  await pool.query(`UPDATE lanes SET leased_until = '-infinity'`);
  const leases = await acquireLanes(pool, 'owner', [3, 4]);
  await parkDeliveries(pool, former, [row]);
  await parkDeliveries(
    pool,
    leases.filter(({ lane }) => lane === 4),
    [row],
  );
  expect(await isParked()).toBe(false);
  await parkDeliveries(pool, leases, [row]);
  expect(await isParked()).toBe(true);
});
