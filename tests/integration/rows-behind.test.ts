import { expect, onTestFinished, test } from 'vitest';
import { eventIdOf, newUuid } from '../../src/domain/ids.ts';
import { cancelReplay } from '../../src/store/cancel-replay.ts';
import { expungePayload } from '../../src/store/expunge.ts';
import { promote, promoteAll } from '../../src/store/order.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { cancelDelivery } from '../../src/store/redrive.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { call } from '../support/api.ts';
import {
  logEvent,
  logPaused,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

test('to look for rows that stand behind nothing costs nothing for keys that have none behind', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
  const pool = service.context.workerPool;
  let text = '';
  await promoteAll(
    {
      query: async (statement: { text: string }) => {
        text = statement.text;
        return { rows: [] };
      },
    } as never,
    [endpoint.num],
  );
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq)
     SELECT gen_random_uuid(), now() - interval '1 ms', $1, $2, 0, n, n FROM generate_series(1, 20000) n`,
    [endpoint.num, tenant.num],
  );
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     VALUES (gen_random_uuid(), 'infinity', $1, $2, 0, true, 30000, 30000)`,
    [endpoint.num, tenant.num],
  );
  await pool.query('VACUUM ANALYZE mailbox');
  const { rows } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, [
    `{${endpoint.num}}`,
    '{-2147483649}',
  ]);
  const { Plan: plan } = rows[0]['QUERY PLAN'][0];
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(100);
});

test('however many keys have rows behind nothing, they are promoted a thousand at a time', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoints = [await makeEndpoint(service, tenant), await makeEndpoint(service, tenant)];
  const pool = service.context.workerPool;
  const nums = endpoints.map(({ num }) => num);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), 'infinity', e, $2, 0, true, n, n::bigint + 3000000000 FROM unnest($1::int[]) e, (SELECT generate_series(-700, 700) UNION VALUES (-2147483648), (2147483647)) k(n)`,
    [nums, tenant.num],
  );
  const keysOf: number[] = [];
  const watched = {
    query: async (statement: { name: string; values: string[] }) => {
      if (statement.name === 'promote') keysOf.push(statement.values[0]!.split(',').length);
      return pool.query(statement as never);
    },
  };
  expect(await promoteAll(watched as never, nums)).toBe(2 * 1_403);
  expect(keysOf).toEqual([1_000, 1_000, 806]);
  expect((await pool.query(`SELECT FROM mailbox WHERE due_at = 'infinity'`)).rowCount).toBe(0);
});

test.each([
  ['waits for its retry', `parked = false, due_at = now() + interval '1 hour'`],
  ['is about to be sent', `parked = false, due_at = now() - interval '1 hour'`],
  ['waits for room, parked', `due_at = now() - interval '1 hour'`],
])(
  'G5: nothing of a key is promoted past its first that %s, and all of it once that has ended',
  async (_how, first) => {
    const service = await startTestService();
    onTestFinished(() => service.stop());
    const tenant = await makeTenant(service, 'acme');
    const endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
    const pool = service.context.workerPool;
    await pool.query(
      `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), 'infinity', $1, $2, 0, true, 7, n FROM generate_series(1, 3) n`,
      [endpoint.num, tenant.num],
    );
    await pool.query(`UPDATE mailbox SET ${first} WHERE seq = 1`);
    const keys = [{ endpointNum: endpoint.num, key: 7 }];
    const brought = async () => [await promote(pool, keys), await promoteAll(pool, [endpoint.num])];
    expect(await brought()).toEqual([0, 0]);
    await pool.query('DELETE FROM mailbox WHERE seq = 1');
    expect(await brought()).toEqual([2, 0]);
  },
);

test.each<[string, (base: string, endpoint: string, dead: string) => readonly [string, string, object?]]>([
  ['it is resumed', (base, endpoint) => ['POST', `${base}/endpoints/${endpoint}/paused-keys/resume`, {}]],
  [
    'its endpoint is told to go on',
    (base, endpoint) => ['PATCH', `${base}/endpoints/${endpoint}`, { on_dead_letter: 'continue' }],
  ],
  [
    'the payload that it waits for is expunged',
    (base, _, dead) => ['DELETE', `${base}/events/${eventIdOf(dead)}/payload`],
  ],
])('G5: nothing of a key that waits for a person is promoted, until %s', async (_, ask) => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'endpoint', on_dead_letter: 'pause' });
  const dead = await logEvent(service, tenant);
  await logPaused(service, tenant, dead, endpoint);
  const pool = service.context.workerPool;
  const brought = async () => [
    await promote(pool, [{ endpointNum: endpoint.num, key: 0 }]),
    await promoteAll(pool, [endpoint.num]),
  ];
  expect(await brought()).toEqual([0, 0]);
  const [method, path, body] = ask('/v1/tenants/acme', endpoint.id, dead);
  expect((await call(service.baseUrl, method, path, body)).status).toBeLessThan(300);
  const { rows } = await pool.query('SELECT parked FROM mailbox');
  expect(rows).toEqual([{ parked: false }]);
  expect((await pool.query('SELECT FROM paused_keys')).rowCount).toBe(0);
});

test('G5: nothing of a key is promoted past its first that was set aside, until somebody decides on that', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
  const pool = service.context.workerPool;
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), 'infinity', $1, $2, 0, true, 7, n FROM generate_series(1, 2) n`,
    [endpoint.num, tenant.num],
  );
  await pool.query(
    `INSERT INTO poisoned_deliveries (event_id, endpoint_num, tenant_num, crashes, reason)
     SELECT event_id, endpoint_num, tenant_num, 3, '' FROM mailbox WHERE seq = 1`,
  );
  const brought = async () => [
    await promote(pool, [{ endpointNum: endpoint.num, key: 7 }]),
    await promoteAll(pool, [endpoint.num]),
  ];
  expect(await brought()).toEqual([0, 0]);
  await pool.query('DELETE FROM mailbox WHERE seq = 1');
  expect(await brought()).toEqual([1, 0]);
});

const OLD_MS = Date.now() - 40 * 86_400_000;

interface FirstOfKey {
  readonly service: TestService;
  readonly tenant: TestTenant;
  readonly endpoint: TestEndpoint;
  /** Of forty days ago. */
  readonly eventUuid: string;
  readonly replayId: string;
}

test.each<[string, (first: FirstOfKey) => Promise<unknown>]>([
  [
    'is cancelled',
    ({ service, tenant, endpoint, eventUuid }) =>
      cancelDelivery(
        service.context.apiPool,
        tenant,
        { eventUuid, endpointNum: endpoint.num, deliveryId: 'dlv_1' },
        'tester',
      ),
  ],
  [
    'loses its payload',
    ({ service, tenant, eventUuid }) =>
      expungePayload(service.context.apiPool, tenant, { uuid: eventUuid, publicId: 'evt_1' }, 'tester', (body) => body),
  ],
  [
    'is withdrawn with its replay',
    ({ service, tenant, replayId }) => cancelReplay(service.context.apiPool, tenant, replayId, 'tester'),
  ],
  ['outlives its day', ({ service }) => dropOldPartitions(service.context.workerPool, Date.now(), 30, 30)],
])('G5: when the first of a key %s, the next is promoted, though no worker runs', async (_how, takeAway) => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
  const pool = service.context.workerPool;
  await ensurePartitions(pool, OLD_MS, 0);
  const eventUuid = await logEvent(service, tenant, 'a.b', uuidAt(OLD_MS));
  const replay = await call(service.baseUrl, 'POST', '/v1/tenants/acme/replays', {});
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq, replay_num)
     VALUES ($1, now(), $3, $4, 0, false, 7, 1, (SELECT num FROM replays)), ($2, 'infinity', $3, $4, 0, true, 7, 2, NULL)`,
    [eventUuid, newUuid(Date.now()), endpoint.num, tenant.num],
  );
  await takeAway({ service, tenant, endpoint, eventUuid, replayId: replay.body.id });
  const { rows } = await pool.query('SELECT seq, parked, isfinite(due_at) AS is_due FROM mailbox');
  expect(rows).toEqual([{ seq: '2', parked: false, is_due: true }]);
});

test('a worker that takes a lane promotes what nobody lived to promote, though no delivery of the key will ever end again', async () => {
  const api = await startTestService();
  onTestFinished(() => api.stop());
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const tenant = await makeTenant(api, 'acme');
  await makeEndpoint(api, tenant, { url: receiver.url, order: 'subject' });
  await logEvent(api, tenant);
  await call(api.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', subject: 's', data: {} });
  // As left by a worker that died between the end of the first and the call for the next.
  const { rowCount } = await api.context.apiPool.query(
    `UPDATE mailbox SET parked = true, due_at = 'infinity' WHERE order_key IS NOT NULL`,
  );
  expect(rowCount).toBe(1);
  const worker = await startTestService({ databaseUrl: api.databaseUrl, worker: true });
  onTestFinished(() => worker.stop());
  await receiver.received(1);
});
