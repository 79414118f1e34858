import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { laneOf } from '../../src/routing/lane-of.ts';
import { claimValidations, recordValidation } from '../../src/store/endpoint-validations.ts';
import { acquireLanes, findSleepingLanes, releaseLanes } from '../../src/store/lanes.ts';
import { call } from '../support/api.ts';
import { logEvent, makeEndpoint, makeTenant, type TestEndpoint, type TestTenant } from '../support/log-fixture.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;
let endpoint: TestEndpoint;
let lane: number;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  endpoint = await makeEndpoint(service, tenant);
  lane = laneOf(endpoint.num, TEST_LANES);
});

afterAll(() => service.stop());

const query = (text: string, values: unknown[] = []) => service.context.workerPool.query(text, values);

async function sleeping(): Promise<number[]> {
  // Moments are kept in whole milliseconds, and may be rounded up.
  await query('SELECT pg_sleep(0.001)');
  return (await findSleepingLanes(service.context.workerPool)).map((found) => found.lane);
}

beforeEach(async () => {
  await query('DELETE FROM mailbox');
  await query(`UPDATE lanes SET owner = NULL, leased_until = '-infinity', wake_at = 'infinity'`);
});

async function park(): Promise<void> {
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked) VALUES ($1, now() - interval '1 ms', $2, $3, $4, true)`,
    [await logEvent(service, tenant), endpoint.num, tenant.num, lane],
  );
}

async function ownAndRelease(
  release: { isDone?: boolean; wakeInMs?: number },
  meanwhile = async () => {},
): Promise<void> {
  const { workerPool } = service.context;
  const [lease] = await acquireLanes(workerPool, 'owner', [lane]);
  await meanwhile();
  await releaseLanes(workerPool, 'owner', [{ ...lease!, ...release }]);
}

test('a lane that its owner was done with is looked at when its owner said, and not before', async () => {
  await park();
  await ownAndRelease({ isDone: true, wakeInMs: 60_000 });
  expect(await sleeping()).toEqual([]);
  await ownAndRelease({ isDone: true, wakeInMs: 0 });
  expect(await sleeping()).toEqual([lane]);
});

test('whatever its owner said, a lane is looked at again within five minutes', async () => {
  await ownAndRelease({ isDone: true, wakeInMs: Number.POSITIVE_INFINITY });
  const { rows } = await query(`SELECT wake_at < now() + interval '301 s' AS soon FROM lanes WHERE lane = $1`, [lane]);
  expect(rows).toEqual([{ soon: true }]);
});

test('a lane that was handed back with work left, or was never owned, is looked at at once', async () => {
  await ownAndRelease({});
  expect(await sleeping()).toEqual([lane]);
  await query('UPDATE lanes SET wake_at = DEFAULT');
  expect(await sleeping()).toHaveLength(TEST_LANES);
});

test('a lane with due work that is not parked is looked at, whenever its owner wanted', async () => {
  await park();
  await query('UPDATE mailbox SET parked = false');
  expect(await sleeping()).toEqual([lane]);
});

test('G2: a lane whose owner is gone is looked at as soon as its lease is over, whatever waits in it', async () => {
  await park();
  await acquireLanes(service.context.workerPool, 'owner', [lane]);
  expect(await sleeping()).toEqual([]);
  await query(`UPDATE lanes SET leased_until = now() - interval '1 ms', wake_at = 'infinity' WHERE lane = $1`, [lane]);
  expect(await sleeping()).toEqual([lane]);
});

const patch = (body: object) => call(service.baseUrl, 'PATCH', `/v1/tenants/acme/endpoints/${endpoint.id}`, body);
const reset = () => call(service.baseUrl, 'POST', `/v1/tenants/acme/endpoints/${endpoint.id}/breaker/reset`);

async function validate(): Promise<void> {
  await patch({ validation: 'cloudevents' });
  const { workerPool } = service.context;
  const [claimed] = await claimValidations(workerPool, 1, 60_000);
  await query(`UPDATE lanes SET wake_at = 'infinity'`);
  await recordValidation(workerPool, claimed!, { kind: 'validated', origin: 'a.example', allowedPerMinute: null });
}

test('the lane of an endpoint whose receiver has agreed is looked at though nobody rings, also when its owner gives it back just then', async () => {
  await park();
  await ownAndRelease({ isDone: true, wakeInMs: 60_000 }, validate);
  expect(await sleeping()).toEqual([lane]);
});

test.each([
  ['enabled', () => patch({ enabled: true })],
  ['given another URL', () => patch({ url: `http://127.0.0.1:9/${Math.random()}` })],
  ['given other headers', () => patch({ headers: { 'x-a': String(Math.random()) } })],
  ['reset by hand', reset],
])(
  'the lane of an endpoint that is %s is looked at though nobody rings, also when its owner gives it back just then',
  async (_what, act) => {
    await patch({ enabled: false });
    await park();
    await ownAndRelease({ isDone: true, wakeInMs: 60_000 }, async () => {
      expect((await act()).status).toBe(200);
    });
    expect(await sleeping()).toEqual([lane]);
  },
);

test('looking for sleeping lanes costs the same beside 3,000 endpoints that are closed', async () => {
  let text = '';
  await findSleepingLanes({
    query: async (statement: { text: string }) => {
      text = statement.text;
      return { rows: [] };
    },
  } as never);
  const buffers = async () => {
    const { rows } = await query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`);
    return rows[0]['QUERY PLAN'][0].Plan['Shared Hit Blocks'] + rows[0]['QUERY PLAN'][0].Plan['Shared Read Blocks'];
  };
  const before = await buffers();
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked)
     SELECT gen_random_uuid(), now() - interval '1 ms', 1000 + n, $1, n % ${TEST_LANES}, true FROM generate_series(1, 3000) n`,
    [tenant.num],
  );
  await query('ANALYZE mailbox');
  expect(await buffers()).toBeLessThanOrEqual(before + 2 * TEST_LANES);
});
