import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { acquireLanes, type LaneLease } from '../../src/store/lanes.ts';
import { fetchDue, START, scanLimitOf, stillWaiting } from '../../src/store/mailbox.ts';
import { promote, promoteAll } from '../../src/store/order.ts';
import { parkDeliveries, parkEndpoints, setBehind } from '../../src/store/park.ts';
import { fetchParked } from '../../src/store/parked-rows.ts';
import { createPool } from '../../src/store/pools.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const WAITING = 4_000;
const GIVEN = 300;
const OTHERS = 40_000;
const FLOOD = 20_000;

let database: TestDatabase;
let pool: pg.Pool;
let leases: readonly LaneLease[];
let given: { readonly eventUuid: string; readonly endpointNum: number; readonly attempt: number }[];

beforeAll(async () => {
  database = await createTestDatabase();
  const fail = (error: Error) => {
    throw error;
  };
  const bounds = { size: 2, connectMs: 10_000, statementMs: 60_000 };
  pool = createPool({ databaseUrl: database.url, name: 'test', ...bounds, probes: true, onError: fail });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(`INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/')`);
  leases = await acquireLanes(pool, 'owner', [0]);
  // A table that had many rows and has almost none, as autovacuum finds it between two bursts.
  const last = newUuid(Date.now());
  await fill([...Array.from({ length: WAITING }, () => newUuid(Date.now())), last]);
  await pool.query('DELETE FROM mailbox WHERE event_id <> $1', [last]);
  await pool.query('VACUUM ANALYZE mailbox');
  const events = Array.from({ length: WAITING }, () => newUuid(Date.now()));
  await fill(events);
  await fillBehind();
  given = events.slice(0, GIVEN).map((eventUuid) => ({ eventUuid, endpointNum: 1, attempt: 0 }));
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const fill = (events: readonly string[]) =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq)
     SELECT id, now() - interval '1 ms', 1, 1, 0, n, n FROM unnest($1::uuid[]) WITH ORDINALITY AS r(id, n)`,
    [events],
  );

/** Rows that wait behind others, as it seems: those before them are gone. */
const fillBehind = () =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), 'infinity', 2, 1, 0, true, n, n FROM generate_series(1, ${WAITING}) AS n`,
  );

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/** Rows that went through the busiest step of the statement that `run` makes; what it changed is undone. */
async function rowsLookedAt(run: (pool: pg.Pool) => Promise<unknown>): Promise<number> {
  const client = await pool.connect();
  try {
    return await busiestStep(client, run, ({ text, values }) =>
      client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values),
    );
  } finally {
    client.release();
  }
}

async function busiestStep(
  client: pg.PoolClient,
  run: (pool: pg.Pool) => Promise<unknown>,
  explain: (statement: Statement) => Promise<pg.QueryResult>,
): Promise<number> {
  let busiest = 0;
  const visit = (node: PlanNode) => {
    const each =
      node['Actual Rows'] + (node['Rows Removed by Join Filter'] ?? 0) + (node['Rows Removed by Filter'] ?? 0);
    busiest = Math.max(busiest, each * node['Actual Loops']);
    node.Plans?.forEach(visit);
  };
  const query = async (statement: Statement) => {
    const { rows } = await explain(statement);
    visit(rows[0]['QUERY PLAN'][0].Plan);
    return { rows: [], rowCount: 0 };
  };
  await client.query('BEGIN');
  await run({ query } as never);
  await client.query('ROLLBACK');
  return busiest;
}

const attempts = (rows = given, decision: SettledAttempt['decision'] = { kind: 'done' }): SettledAttempt[] =>
  rows.map((row) => ({
    ...row,
    tenantNum: 1,
    lane: 0,
    attempt: 1,
    isReplay: false,
    startedAtMs: Date.now(),
    outcome: {
      kind: 'unreachable',
      reason: 'refused',
      detail: 'refused',
      timing: { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 },
    },
    decision,
    notice: null,
    mayPauseKey: false,
  }));

test.each<[string, number, (pool: pg.Pool) => Promise<unknown>]>([
  ['a settle', GIVEN, (client) => settle(client, leases, attempts())],
  ['parking', GIVEN, (client) => parkDeliveries(client, leases, given)],
  ['parking of a flood', WAITING / 2, (client) => parkEndpoints(client, leases, [1], GIVEN)],
  ['setting behind', GIVEN, (client) => setBehind(client, leases, given)],
  [
    'promoting',
    GIVEN,
    (client) =>
      promote(
        client,
        given.map((_, i) => ({ endpointNum: 2, key: i + 1 })),
      ),
  ],
  [
    'a fetch that leaves out what is in memory',
    WAITING,
    (client) =>
      fetchDue(client, [{ lane: 0, after: START, limit: WAITING }], { endpoints: [], tenants: [], rows: given }),
  ],
  ['promoting all', WAITING, (client) => promoteAll(client, [2])],
  ['looking for rows', GIVEN, (client) => stillWaiting(client, given.map((row) => ({ ...row, attempt: 0 })) as never)],
])(
  'after a burst into a mailbox that was empty when Postgres counted it, %s looks at few more rows than it is about',
  async (_what, rows, run) => {
    expect(await rowsLookedAt(run)).toBeLessThan(3 * rows);
  },
);

test('however many rows others have among those of a flood, its parking looks at so many and no more', async () => {
  const [lease] = await acquireLanes(pool, 'owner', [1]);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 h' + n * interval '1 ms', CASE WHEN n > ${OTHERS} THEN 1 ELSE 2 END, 1, 1
       FROM generate_series(1, ${OTHERS} + ${FLOOD}) AS n`,
  );
  const looked = await rowsLookedAt((client) => parkEndpoints(client, [lease!], [1], GIVEN));
  expect(looked).toBeGreaterThan(0);
  // Postgres 14 reads one row more before it sees that these were enough.
  expect(looked).toBeLessThanOrEqual(scanLimitOf({ limit: GIVEN }, 1, 0) + 1);
  await pool.query('DELETE FROM mailbox WHERE lane = 1');
});

const WIDE = 5_000;
const MANY = 500;
const PARKED = 3;
/** So often Postgres plans a statement that has a name anew; then it keeps a plan. */
const PLANNED_ANEW = 5;

/** Rows of an event for very many endpoints. */
const wide = (eventUuid: string, parked: boolean) =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked)
     SELECT $1, now() - interval '1 ms', n, 1, 0, $2 FROM generate_series(1, ${WIDE}) AS n`,
    [eventUuid, parked],
  );

/** Explains a statement as its session runs it: one that has a name by the plan that is kept. */
async function explainKept(client: pg.PoolClient, { name, text, values }: Statement): Promise<pg.QueryResult> {
  if (name === undefined) return client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values);
  const literals: string[] = [];
  for (const [i, value] of values.entries()) {
    const type = new RegExp(`\\$${i + 1}::(\\w+(\\[\\])?)`).exec(text)![1];
    const { rows } = await client.query(`SELECT $1::${type}::text AS text`, [value]);
    literals.push(pg.escapeLiteral(rows[0].text));
  }
  return client.query(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "${name}" (${literals.join(', ')})`);
}

test.each<[string, (pool: pg.Pool, rows: typeof given) => Promise<unknown>]>([
  ['a settle', (client, rows) => settle(client, leases, attempts(rows))],
  [
    'a settle of what is tried again',
    (client, rows) => settle(client, leases, attempts(rows, { kind: 'retry', delayMs: 1_000 })),
  ],
  ['looking for rows', (client, rows) => stillWaiting(client, rows.map((row) => ({ ...row, attempt: 0 })) as never)],
  ['parking', (client, rows) => parkDeliveries(client, leases, rows)],
  [
    'a read of parked backlogs',
    (client, rows) =>
      fetchParked(
        client,
        rows.map(({ endpointNum }) => ({ lane: 0, endpointNum, kind: 'first', after: START, limit: 20 })),
        rows,
      ),
  ],
])(
  'after an event for 5,000 endpoints, %s looks at few more rows than there are, though its plan be of the time when hardly anything waited',
  async (_what, run) => {
    for (const waiting of [0, 1]) {
      await pool.query('DELETE FROM mailbox');
      for (let i = 0; i < waiting; i++) await fill([newUuid(Date.now())]);
      await pool.query('VACUUM ANALYZE mailbox');
      expect(await rowsLookedAtLater(run)).toBeLessThan(3 * WIDE);
    }
  },
);

/** The same as `rowsLookedAt` for a session that has run the statement before the rows came. */
async function rowsLookedAtLater(run: (pool: pg.Pool, rows: typeof given) => Promise<unknown>): Promise<number> {
  const client = await pool.connect();
  try {
    const event = newUuid(Date.now());
    const rows = Array.from({ length: MANY }, (_, i) => ({ eventUuid: event, endpointNum: i + 1, attempt: 0 }));
    for (let i = 0; i <= PLANNED_ANEW; i++) {
      await client.query('BEGIN');
      await run(client as never, rows.slice(0, 1));
      await client.query('ROLLBACK');
    }
    for (let i = 0; i < PARKED; i++) await wide(newUuid(Date.now()), true);
    await wide(event, false);
    const explain = (statement: Statement) => explainKept(client, statement);
    return await busiestStep(client, (spy) => run(spy, rows), explain);
  } finally {
    client.release();
  }
}
