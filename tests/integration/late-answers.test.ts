import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf, uuidTime } from '../../src/domain/ids.ts';
import { laneOf } from '../../src/routing/lane-of.ts';
import { acquireLanes } from '../../src/store/lanes.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { call } from '../support/api.ts';
import { logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { dayOf, writtenDays } from '../support/written-days.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const TIMING = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
const RESPONSE = { headers: {}, body: new Uint8Array(0), truncated: false };
type End = Pick<SettledAttempt, 'outcome' | 'decision'>;
const TAKEN: End = {
  outcome: { kind: 'delivered', response: { status: 204, ...RESPONSE }, timing: TIMING },
  decision: { kind: 'done' },
};
const REFUSED: End = {
  outcome: { kind: 'rejected', response: { status: 410, ...RESPONSE }, timing: TIMING },
  decision: { kind: 'dead_letter' },
};
const POSTPONED: End = {
  outcome: { kind: 'unreachable', reason: 'dns', detail: '', timing: TIMING },
  decision: { kind: 'postpone', delayMs: 0 },
};

/** A delivery in the mailbox of a lane that is held here, made by a replay or not. */
async function stage(tenantId: string, isReplay = true) {
  const pool = service.context.workerPool;
  const tenant = await makeTenant(service, tenantId);
  const endpoint = await makeEndpoint(service, tenant);
  const eventUuid = await logEvent(service, tenant);
  const ask = async (method: string, path: string) =>
    (await call(service.baseUrl, method, `/v1/tenants/${tenantId}${path}`, method === 'POST' ? {} : undefined)).body;
  const { id: replay } = await ask('POST', '/replays');
  const lane = laneOf(endpoint.num, TEST_LANES);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, replay_num)
     VALUES ($1, now() - interval '1 ms', $2, $3, $4, (SELECT num FROM replays WHERE id = $5 AND $6))`,
    [eventUuid, endpoint.num, tenant.num, lane, replay, isReplay],
  );
  await pool.query(`UPDATE lanes SET owner = NULL, leased_until = '-infinity'`);
  const leases = await acquireLanes(pool, 'owner', [lane]);
  const delivery = `/deliveries/${deliveryIdOf(eventUuid, endpoint.num)}`;
  const attemptOf = (attempt: number, end: End): SettledAttempt => ({
    ...end,
    ...{ eventUuid, endpointNum: endpoint.num, tenantNum: tenant.num, lane, attempt, isReplay },
    ...{ startedAtMs: Date.now(), notice: null, mayPauseKey: false },
  });
  return {
    ask,
    endpoint,
    delivery,
    cancelReplay: () => ask('DELETE', `/replays/${replay}`),
    cancel: () => ask('POST', `${delivery}/cancel`),
    eventUuid,
    end: (attempt: number, end: End, through = pool) => settle(through, leases, [attemptOf(attempt, end)]),
    status: async () => (await ask('GET', delivery)).status,
    attempts: async () =>
      (await ask('GET', `${delivery}/attempts`)).data
        .map((each: { number: number; outcome: string; is_late: boolean }) => [each.number, each.outcome, each.is_late])
        .sort(),
  };
}

test('G3: a replayed delivery that was postponed, and that its receiver takes while its replay is cancelled, is delivered, written once or twice', async () => {
  const { ask, cancelReplay, end, status, attempts } = await stage('postponed');
  await end(1, POSTPONED);
  await cancelReplay();
  expect(await status()).toBe('cancelled');
  for (let i = 0; i < 2; i++) {
    await end(2, TAKEN);
    expect(await status()).toBe('delivered');
    expect(await attempts()).toEqual([
      [1, 'dns', false],
      [2, 'delivered', false],
      [3, 'skipped', true],
    ]);
  }
  expect((await ask('GET', '/deliveries?status=cancelled')).data).toEqual([]);
  expect((await ask('GET', '/deliveries?status=delivered')).data).toHaveLength(1);
});

test('one whose receiver does not take it then stays cancelled', async () => {
  const { cancelReplay, end, status } = await stage('refused');
  await end(1, POSTPONED);
  await cancelReplay();
  await end(2, REFUSED);
  expect(await status()).toBe('cancelled');
});

test.each([
  ['taken', true, TAKEN],
  ['taken', false, TAKEN],
  ['refused', true, REFUSED],
] as const)(
  'a delivery that is cancelled by itself during a request, which then is %s, is cancelled, that request late, and counted as such: replayed %s',
  async (word, isReplay, answer) => {
    const { ask, endpoint, cancel, end, status, attempts } = await stage(`by-itself-${word}-${isReplay}`, isReplay);
    await cancel();
    await end(1, answer);
    expect(await status()).toBe('cancelled');
    expect(await attempts()).toMatchObject([
      [1, expect.any(String), true],
      [2, 'skipped', false],
    ]);
    const { events, ...stats } = await ask('GET', `/endpoints/${endpoint.id}/stats`);
    expect({ events, ...stats }).toMatchObject({ delivered: 0, cancelled: 1 });
  },
);

test('so is one whose replay is cancelled, and which then is cancelled by itself', async () => {
  const { cancelReplay, cancel, end, status, attempts } = await stage('both');
  await end(1, POSTPONED);
  await cancel();
  await cancelReplay();
  await end(2, TAKEN);
  expect(await status()).toBe('cancelled');
  expect((await attempts())[1]).toEqual([2, 'delivered', true]);
});

test('of two ends one is made late without a lock on any other day of the log', async () => {
  const { cancelReplay, end, status, eventUuid } = await stage('days');
  await end(1, POSTPONED);
  await cancelReplay();
  const client = await service.context.workerPool.connect();
  onTestFinished(() => client.release());
  const written: string[][] = [];
  const query = async (statement: string, values: unknown[]) => {
    await client.query('BEGIN');
    const result = await client.query(statement, values);
    const days = await writtenDays(client);
    await client.query('COMMIT');
    if (typeof statement === 'string' && statement.includes('UPDATE attempts')) written.push(days);
    return result;
  };
  await end(2, TAKEN, { query } as unknown as pg.Pool);
  expect(await status()).toBe('delivered');
  expect(written).toEqual([[dayOf(uuidTime(eventUuid))]]);
});
