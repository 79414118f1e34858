import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type EndpointState, saveEndpointStates } from '../../src/store/endpoint-states.ts';
import { acquireLanes, type LaneLease } from '../../src/store/lanes.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url) SELECT n, 'ep_' || n, 1, 'http://x/' FROM generate_series(1, 2) n`,
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(() => pool.query('TRUNCATE endpoint_states, system_notices'));

/** Endpoint 1 is of lane 1, endpoint 2 of lane 2. */
const stateOf = (endpointNum: number, failingSinceMs: number, resets = 0, numbers = [1]): EndpointState => ({
  endpointNum,
  lane: endpointNum,
  gate: { breaker: null, bucket: null, failingSinceMs },
  closedUntilMs: null,
  resets,
  notices: numbers.map((number) => ({
    kind: 'endpoint.breaker_opened',
    tenantNum: 1,
    endpointNum,
    detail: { status: number },
    number,
  })),
});

const remembered = async () =>
  (await pool.query(`SELECT endpoint_num, gate->'failingSinceMs' AS since FROM endpoint_states ORDER BY 1`)).rows.map(
    ({ endpoint_num, since }) => [endpoint_num, since],
  );
const told = async () =>
  (await pool.query('SELECT endpoint_num FROM system_notices ORDER BY 1')).rows.map((row) => row.endpoint_num);

async function take(owner: string, lanes: readonly number[]): Promise<readonly LaneLease[]> {
  await pool.query(`UPDATE lanes SET leased_until = '-infinity'`);
  return acquireLanes(pool, owner, lanes);
}

test('what is known of endpoints whose lanes are the caller’s is remembered and told, and of others neither', async () => {
  const former = await take('former', [1, 2]);
  await take('owner', [2]);
  await saveEndpointStates(pool, former, [stateOf(1, 10), stateOf(2, 20)]);
  expect(await remembered()).toEqual([[1, 10]]);
  expect(await told()).toEqual([1]);
});

test('what somebody else has rewritten since it was read is left as it is, until the owner has read that', async () => {
  const leases = await take('owner', [1, 2]);
  await saveEndpointStates(pool, leases, [stateOf(1, 10), stateOf(2, 20)]);
  await pool.query('UPDATE endpoint_states SET gate = NULL, resets = 1 WHERE endpoint_num = 1');
  await saveEndpointStates(pool, leases, [stateOf(1, 11), stateOf(2, 21)]);
  expect(await remembered()).toEqual([
    [1, null],
    [2, 21],
  ]);
  await saveEndpointStates(pool, leases, [stateOf(1, 12, 1)]);
  expect(await remembered()).toEqual([
    [1, 12],
    [2, 21],
  ]);
});

const toldNumbers = async () =>
  (await pool.query(`SELECT (detail->>'status')::int AS number FROM system_notices ORDER BY id`)).rows.map(
    ({ number }) => number,
  );

test('what was told is not told again when it is saved once more, because the answer was lost, together with what came since', async () => {
  const leases = await take('owner', [1]);
  await saveEndpointStates(pool, leases, [stateOf(1, 10, 0, [3, 4])]);
  await saveEndpointStates(pool, leases, [stateOf(1, 11, 0, [3, 4, 7])]);
  // Nothing is to be told of it: that leaves what was told known.
  await saveEndpointStates(pool, leases, [stateOf(1, 12, 0, [])]);
  await saveEndpointStates(pool, leases, [stateOf(1, 13, 0, [7, 8])]);
  expect(await toldNumbers()).toEqual([3, 4, 7, 8]);
  expect(await remembered()).toEqual([[1, 13]]);
});

test('what the next owner of a lane has to tell is told, whatever numbers the former one had come to', async () => {
  await saveEndpointStates(pool, await take('former', [1]), [stateOf(1, 10, 0, [9])]);
  const leases = await take('owner', [1]);
  await saveEndpointStates(pool, leases, [stateOf(1, 11, 0, [1])]);
  await saveEndpointStates(pool, leases, [stateOf(1, 11, 0, [1, 2])]);
  expect(await toldNumbers()).toEqual([9, 1, 2]);
});

test('what was told is not told again where somebody else has rewritten the state meanwhile, and what they wrote stays', async () => {
  const leases = await take('owner', [1]);
  await saveEndpointStates(pool, leases, [stateOf(1, 10, 0, [3])]);
  await pool.query('UPDATE endpoint_states SET gate = NULL, closed_until = NULL, resets = 1 WHERE endpoint_num = 1');
  const late = { ...stateOf(1, 11, 0, [4]), closedUntilMs: 1_000 };
  for (let i = 0; i < 2; i++) await saveEndpointStates(pool, leases, [late]);
  expect(await toldNumbers()).toEqual([3, 4]);
  expect(await remembered()).toEqual([[1, null]]);
  expect((await pool.query('SELECT closed_until, resets FROM endpoint_states')).rows).toEqual([
    { closed_until: null, resets: 1 },
  ]);
});
