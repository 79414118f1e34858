import { afterAll, beforeAll, expect, test } from 'vitest';
import { laneOf } from '../../src/routing/lane-of.ts';
import { acquireLanes } from '../../src/store/lanes.ts';
import { fetchDue, START } from '../../src/store/mailbox.ts';
import { settle } from '../../src/store/settle.ts';
import { call } from '../support/api.ts';
import { logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

test.each([
  [
    'postpone',
    'is still the replay’s: it goes behind live deliveries, and the replay’s cancellation withdraws it: it is cancelled, having had an attempt and no end',
    true,
  ],
  ['retry', 'is like any other delivery from then on', false],
] as const)('what a replay queued and an attempt ends with %s %s', async (kind, _what, isKept) => {
  const { context } = service;
  const pool = context.workerPool;
  const tenant = await makeTenant(service, `acme-${kind}`);
  const endpoint = await makeEndpoint(service, tenant);
  const uuid = await logEvent(service, tenant);
  const replay = (await call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}/replays`, {})).body.id;
  const lane = laneOf(endpoint.num, TEST_LANES);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, replay_num)
     VALUES ($1, now() - interval '1 ms', $2, $3, $4, (SELECT num FROM replays WHERE id = $5))`,
    [uuid, endpoint.num, tenant.num, lane, replay],
  );
  const leases = await acquireLanes(pool, 'owner', [lane]);
  const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
  const held = await settle(pool, leases, [
    {
      eventUuid: uuid,
      endpointNum: endpoint.num,
      tenantNum: tenant.num,
      lane,
      attempt: 1,
      isReplay: true,
      startedAtMs: Date.now(),
      outcome: { kind: 'unreachable', reason: 'dns', detail: '', timing },
      decision: { kind, delayMs: 0 },
      notice: null,
      mayPauseKey: false,
    },
  ]);
  expect([...held]).toEqual([lane]);
  const { rows: due } = await fetchDue(pool, [{ lane, after: START, limit: 9 }], {
    endpoints: [],
    tenants: [],
    rows: [],
  });
  expect(due.filter((row) => row.eventUuid === uuid)).toMatchObject([
    { isReplay: isKept, attempt: 1, step: isKept ? 0 : 1 },
  ]);
  expect((await call(service.baseUrl, 'DELETE', `/v1/tenants/${tenant.id}/replays/${replay}`)).status).toBeLessThan(
    300,
  );
  const { rowCount } = await pool.query('SELECT 1 FROM mailbox WHERE event_id = $1', [uuid]);
  expect(rowCount).toBe(isKept ? 0 : 1);
  const cancelled = (await call(service.baseUrl, 'GET', `/v1/tenants/${tenant.id}/deliveries?status=cancelled`)).body;
  expect(cancelled.data).toHaveLength(isKept ? 1 : 0);
  await pool.query(`UPDATE lanes SET owner = NULL, leased_until = '-infinity'`);
});
