import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { fetchDue, START } from '../../src/store/mailbox.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const LANE = 3;

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/'), (2, 'ep_2', 1, 'http://x/')`,
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

test('a fetch leaves out the deliveries that are in memory, and no others of their events or endpoints', async () => {
  const [first, second] = [newUuid(), newUuid()];
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT e, now() - interval '1 s', n, 1, $2 FROM unnest($1::uuid[]) e, generate_series(1, 2) n`,
    [[first, second], LANE],
  );
  const fetched = async (rows: readonly { eventUuid: string; endpointNum: number }[], limit = 9) => {
    const due = await fetchDue(pool, [{ lane: LANE, after: START, limit }], { endpoints: [], tenants: [], rows });
    return due.map(({ eventUuid, endpointNum }) => `${eventUuid === first ? 'first' : 'second'} ${endpointNum}`);
  };
  const all = ['first 1', 'first 2', 'second 1', 'second 2'];
  expect(await fetched([])).toEqual(all);
  const held = [
    { eventUuid: first, endpointNum: 2 },
    { eventUuid: second, endpointNum: 1 },
    { eventUuid: newUuid(), endpointNum: 1 },
  ];
  // Also when the plan is kept: Postgres makes one that serves all values after the fifth time.
  for (let times = 0; times < 7; times++) expect(await fetched(held)).toEqual(['first 1', 'second 2']);
  expect(await fetched(held, 1)).toEqual(['first 1']);
});

test('what is to be left out is looked up in a hash table, also by the plan that is kept', async () => {
  const client = await pool.connect();
  let text = '';
  const query = async (statement: { text: string }) => {
    ({ text } = statement);
    return { rows: [] };
  };
  await fetchDue({ query } as never, [], { endpoints: [], tenants: [], rows: [] });
  const events = Array.from({ length: 2_000 }, () => newUuid());
  const endpoints = events.map((_, n) => n + 1);
  try {
    await client.query(`PREPARE looks AS ${text}`);
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`SET plan_cache_mode = ${mode}`);
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN EXECUTE looks ('{3}', '{0}', '{${events[0]}}', '{0}', '{500}', '{}', '{}', '{${events}}', '{${endpoints}}')`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/hashed SubPlan/);
      expect(plan).toMatch(/Index.* mailbox_due_idx/);
    }
  } finally {
    await client.query('RESET plan_cache_mode');
    client.release();
  }
});
