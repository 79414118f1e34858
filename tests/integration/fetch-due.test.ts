import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { fetchDue, START, scanLimitOf, stillWaiting } from '../../src/store/mailbox.ts';
import { fetchParked } from '../../src/store/parked-rows.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const LANE = 3;
/** In kB, of which hash tables take no multiple: that is the default of Postgres 14. */
const LEAST_MEMORY = ['work_mem = 64', 'hash_mem_multiplier = 1'];

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', ''), (2, 'beta', '')`);
  await pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/'), (2, 'ep_2', 1, 'http://x/')`,
  );
});

beforeEach(() => pool.query('TRUNCATE mailbox'));

afterAll(async () => {
  await pool.end();
  await database.drop();
});

test('a fetch leaves out the deliveries that are in memory, and no others of their events or endpoints', async () => {
  const [first, second] = [newUuid(Date.now()), newUuid(Date.now())];
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT e, now() - interval '1 s', n, 1, $2 FROM unnest($1::uuid[]) e, generate_series(1, 2) n`,
    [[first, second], LANE],
  );
  const fetched = async (rows: readonly { eventUuid: string; endpointNum: number }[], limit = 9) => {
    const { rows: due } = await fetchDue(pool, [{ lane: LANE, after: START, limit }], {
      endpoints: [],
      tenants: [],
      rows,
    });
    return due.map(({ eventUuid, endpointNum }) => `${eventUuid === first ? 'first' : 'second'} ${endpointNum}`);
  };
  const all = ['first 1', 'first 2', 'second 1', 'second 2'];
  expect(await fetched([])).toEqual(all);
  const held = [
    { eventUuid: first, endpointNum: 2 },
    { eventUuid: second, endpointNum: 1 },
    { eventUuid: newUuid(Date.now()), endpointNum: 1 },
  ];
  // Also when the plan is kept: Postgres makes one that serves all values after the fifth time.
  for (let times = 0; times < 7; times++) expect(await fetched(held)).toEqual(['first 1', 'second 2']);
  expect(await fetched(held, 1)).toEqual(['first 1']);
});

test.each([
  ['to the end', [], ''],
  ['up to a time', [{ lane: 3, after: START, untilMs: 0, limit: 1 }], `, '{2000}'`],
])(
  'what is to be left out is looked up in hash tables, however much it is and little memory Postgres gives to a statement, also by the plan that is kept: %s',
  async (_what, fetches, more) => {
    const client = await pool.connect();
    let text = '';
    const query = async (statement: { text: string }) => {
      ({ text } = statement);
      return { rows: [] };
    };
    await fetchDue({ query } as never, fetches, { endpoints: [], tenants: [], rows: [] });
    const events = Array.from({ length: 5_000 }, () => newUuid(Date.now()));
    const nums = events.map((_, n) => n + 1);
    try {
      for (const setting of LEAST_MEMORY) await client.query(`SET ${setting}`);
      await client.query(`PREPARE scan AS ${text}`);
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`);
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `EXPLAIN (VERBOSE) EXECUTE scan ('{3}', '{0}', '{${events[0]}}', '{0}', '{500}', '{${nums}}', '{${nums}}', '{${events}}', '{${nums}}', '{16000}'${more})`,
        );
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        // Those of endpoints, tenants and rows stand beside the number of the row.
        const scanned = /^.*row_number\(\) OVER.*$/m.exec(plan)?.[0];
        expect(new Set(scanned?.match(/hashed SubPlan \d+/g)).size).toBe(3);
        expect(plan).toMatch(/Index.* \S*mailbox_due_idx/);
      }
    } finally {
      await client.query('RESET ALL');
      await client.query('DEALLOCATE scan');
      client.release();
    }
  },
);

/** @returns what a fetch of the lane finds but for these tenants' */
const dueBut = async (...tenants: number[]) =>
  (await fetchDue(pool, [{ lane: LANE, after: START, limit: 9 }], { endpoints: [], tenants, rows: [] })).rows;

test('a lane is read up to a time where that is said, and others beside it to the end, by the index of what is due', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), to_timestamp(n), 1, 1, l FROM generate_series(1, 5) n, generate_series(3, 4) l`,
  );
  const fetches = [
    { lane: 3, after: { ...START, dueAtMs: 2_000 }, untilMs: 4_000, limit: 9 },
    { lane: 4, after: START, limit: 9 },
  ];
  const over = { endpoints: [], tenants: [], rows: [] };
  const dueOf = async (lane: number) =>
    (await fetchDue(pool, fetches, over)).rows.filter((row) => row.lane === lane).map(({ dueAtMs }) => dueAtMs);
  // Also when the plan is kept.
  for (let times = 0; times < 7; times++) expect(await dueOf(3)).toEqual([2_000, 3_000, 4_000]);
  expect(await dueOf(4)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  const ahead = [{ ...fetches[0]!, untilMs: Date.now() + 3_600_000 }];
  await pool.query(`UPDATE mailbox SET due_at = now() + interval '1 minute' WHERE due_at = to_timestamp(3)`);
  expect((await fetchDue(pool, ahead, over)).rows.map(({ dueAtMs }) => dueAtMs)).toEqual([2_000, 4_000, 5_000]);
});

test('a fetch leaves out what is due for tenants that have their share of memory, and nothing of others', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 s', n, n, $1 FROM generate_series(1, 2) n`,
    [LANE],
  );
  expect((await dueBut()).map(({ tenantNum }) => tenantNum).sort()).toEqual([1, 2]);
  expect(await dueBut(1)).toMatchObject([{ tenantNum: 2 }]);
  expect(await dueBut(1, 2)).toEqual([]);
});

test('a fetch looks at so many rows of each lane and no more, and tells where it stopped: the next one goes on there', async () => {
  const lanes = [LANE, LANE + 1].map((lane) => ({ lane, after: START, limit: 9 }));
  const scanLimit = scanLimitOf(lanes[0]!, lanes.length, 0);
  // One row of another tenant is the last that may be looked at, one stands behind; the other lane has one less than may be looked at.
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 h' + n * interval '1 ms', 1, CASE WHEN n IN ($1, $1 + 2) THEN 2 ELSE 1 END, lane
       FROM generate_series(1, $1::int + 2) n, unnest($2::smallint[]) lane WHERE lane = $3 OR n < $1`,
    [scanLimit, lanes.map(({ lane }) => lane), LANE],
  );
  const over = { endpoints: [], tenants: [1], rows: [] };
  const found = await fetchDue(pool, lanes, over);
  expect(found.rows).toMatchObject([{ lane: LANE, tenantNum: 2 }]);
  expect([...found.stops]).toEqual([[LANE, found.rows[0]]]);
  const others = await fetchDue(pool, lanes, { ...over, tenants: [1, 2] });
  expect([others.rows, [...others.stops]]).toEqual([[], [[LANE, found.rows[0]]]]);
  const rest = await fetchDue(pool, [{ ...lanes[0]!, after: found.stops.get(LANE)! }], over);
  expect([rest.rows.length, rest.stops.size]).toEqual([1, 0]);
});

test('a fetch that has brought all that it may stops there, however many rows stand behind', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 s', 1, 1, $1 FROM generate_series(1, 20000)`,
    [LANE],
  );
  const found = await fetchDue(pool, [{ lane: LANE, after: START, limit: 9 }], {
    endpoints: [],
    tenants: [],
    rows: [],
  });
  expect([found.rows.length, found.stops.size]).toEqual([9, 0]);
});

test('G5: what waits for a person is said of its own key, not of the others of its endpoint', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq)
     SELECT gen_random_uuid(), now() - interval '1 s', n % 2 + 1, 1, $1, n / 2, n FROM generate_series(2, 5) n`,
    [LANE],
  );
  await pool.query('INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq) VALUES (1, 1, $1, 1)', [
    newUuid(Date.now()),
  ]);
  const places = (await dueBut()).map(({ endpointNum, order }) => [endpointNum, order!.key, order!.isPaused]);
  expect(places.sort()).toEqual([
    [1, 1, true],
    [1, 2, false],
    [2, 1, false],
    [2, 2, false],
  ]);
});

test('the parked backlog of an endpoint is read from its lane alone', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked)
     SELECT gen_random_uuid(), now() - interval '1 s', 1, 1, lane, true FROM generate_series($1::int, $1 + 1) lane`,
    [LANE],
  );
  const fetch = { lane: LANE, endpointNum: 1, kind: 'first', after: START, limit: 9 } as const;
  expect(await fetchParked(pool, [fetch], [])).toMatchObject([{ lane: LANE }]);
});

/** A backlog in which retries stand before first attempts, and what a replay queued before both. */
const parkMany = (each: number) =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, replay_num, step)
     SELECT gen_random_uuid(), now() - interval '1 h' + n * interval '1 ms', 1, 1, $1, true,
            CASE WHEN n <= $2 THEN 1 END, CASE WHEN n % 3 = 0 OR n > $2 AND n <= 2 * $2 THEN 1 ELSE 0 END
       FROM generate_series(1, 2 * $2::int + 6) n`,
    [LANE, each],
  );

const parkedFetches = (['first', 'retry', 'replay'] as const).map((kind, i) => {
  return { lane: LANE, endpointNum: 1, kind, after: START, limit: 2 + i };
});

test('of a parked backlog each class is read apart: first attempts, retries, and what a replay queued', async () => {
  await parkMany(9);
  const rows = await fetchParked(pool, parkedFetches, []);
  const kinds = rows.map(({ isReplay, step }) => (isReplay ? 'replay' : step === 0 ? 'first' : 'retry'));
  expect(kinds).toEqual([...Array(4).fill('replay'), ...Array(3).fill('retry'), ...Array(2).fill('first')]);
  // Each goes on from a cursor of its own.
  const [first] = parkedFetches;
  const rest = await fetchParked(pool, [{ ...first!, after: rows.at(-1)!, limit: 9 }], []);
  expect(rest.map(({ isReplay, step }) => [isReplay, step])).toEqual([
    [false, 0],
    [false, 0],
  ]);
  expect(await fetchParked(pool, [first!], rows.slice(-2))).toEqual(rest);
});

test.each(['as it is', 'as it was when nothing waited'])(
  'each class is an index range scan, however many rows of the others stand before it and of its own are in memory: the table counted %s',
  async (counted) => {
    if (counted === 'as it is') await parkMany(10_000);
    await pool.query('VACUUM ANALYZE mailbox');
    if (counted !== 'as it is') await parkMany(10_000);
    const statements: { text: string; values: unknown[] }[] = [];
    const query = async (statement: { text: string; values: unknown[] }) => {
      statements.push(statement);
      return { rows: [] };
    };
    await fetchParked({ query } as never, parkedFetches, []);
    const [{ text, values }] = statements as [(typeof statements)[0]];
    const client = await pool.connect();
    const held = Array.from({ length: 5_000 }, () => newUuid(Date.now()));
    try {
      for (const setting of LEAST_MEMORY) await client.query(`SET ${setting}`);
      await client.query(`PREPARE parked_${counted.length} AS ${text}`);
      const literals = [...values.slice(0, -2), `{${held}}`, `{${held.map(() => 1)}}`]
        .map((each) => client.escapeLiteral(String(each)))
        .join(', ');
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`);
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE parked_${counted.length} (${literals})`,
        );
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        const [, condition] = /mailbox_parked_class_idx on mailbox.*\n\s*Index Cond: (.*)/.exec(plan) ?? [plan, plan];
        for (const part of ['lane = ', 'endpoint_num = ', 'CASE WHEN', 'due_at <= ', 'ROW(due_at, event_id) > '])
          expect(condition).toContain(part);
        expect(plan).toMatch(/Filter: .*hashed SubPlan/);
        expect(plan).not.toContain('Rows Removed by Filter');
      }
    } finally {
      await client.query('RESET ALL');
      client.release();
    }
  },
);

test('a delivery that was tried since it was read waits no longer as it was read', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 s', n, 1, $1 FROM generate_series(1, 2) n`,
    [LANE],
  );
  const read = await dueBut();
  await pool.query('UPDATE mailbox SET attempt = 1 WHERE endpoint_num = 1');
  const waiting = await stillWaiting(pool, read);
  expect(waiting.map(({ endpointNum }) => endpointNum)).toEqual([2]);
});
