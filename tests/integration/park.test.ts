import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acquireLanes } from '../../src/store/lanes.ts';
import { parkDeliveries, setBehind } from '../../src/store/park.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

test.each([
  ['parks nothing', parkDeliveries, 'parked'],
  ['sets nothing behind', setBehind, `due_at = 'infinity'`],
])(
  'a former owner of a lane %s: only the owner may take rows from where they are fetched',
  async (_what, put, isAside) => {
    await pool.query('DELETE FROM mailbox');
    const row = { eventUuid: '00000000-0000-7000-8000-000000000001', endpointNum: 1 };
    await pool.query(
      `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq) VALUES ($1, now() - interval '1 ms', 1, 1, 3, 1, 1)`,
      [row.eventUuid],
    );
    const isPut = async () => (await pool.query(`SELECT ${isAside} AS is FROM mailbox`)).rows[0].is;
    await pool.query(`UPDATE lanes SET leased_until = '-infinity'`);
    const former = await acquireLanes(pool, 'former', [3]);
    await pool.query(`UPDATE lanes SET leased_until = '-infinity'`);
    const leases = await acquireLanes(pool, 'owner', [3, 4]);
    const ofOther = leases.filter(({ lane }) => lane === 4);
    await put(pool, former, [row]);
    await put(pool, ofOther, [row]);
    expect(await isPut()).toBe(false);
    await put(pool, leases, [row]);
    expect(await isPut()).toBe(true);
  },
);
