import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf, eventIdOf, uuidFloor } from '../../src/domain/ids.ts';
import { cancelForDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { ensurePartitions, listPartitions } from '../../src/store/partitions.ts';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

const DAY_MS = 86_400_000;
const OLD_MS = Date.now() - 3 * DAY_MS;
let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const query = (text: string, values: unknown[] = []) => service.context.workerPool.query(text, values);

const advance = () => queueReplays(replayerOf(service.context.workerPool));

/** An event of each of two days, the younger one of which is today. */
async function twoDays() {
  await ensurePartitions(service.context.workerPool, OLD_MS, 0);
  const tenant = await makeTenant(service, `acme_${randomUUID().slice(0, 8)}`);
  const endpoint = await makeEndpoint(service, tenant);
  const log = (ms: number) => logEvent(service, tenant, 'order.created', uuidAt(ms));
  const ask = (method: string, path: string, body?: unknown) =>
    call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);
  return { tenant, endpoint, ask, old: await log(OLD_MS), young: await log(Date.now()) };
}

/** The attempts of the old day and of the day before, which go in this order. */
const oldAttempts = async () =>
  (await listPartitions(service.context.workerPool)).filter(
    ({ parent, dayMs, state }) => parent === 'attempts' && dayMs <= OLD_MS && state !== 'orphan',
  );

/** Detaches the old days' attempts as retention does: their events are there as before. */
async function detach(): Promise<void> {
  for (const { name } of await oldAttempts()) {
    await query(`ALTER TABLE attempts DETACH PARTITION "${name}" CONCURRENTLY`);
    onTestFinished(async () => void (await query(`DROP TABLE "${name}"`)));
  }
}

/** Leaves the last detachment as it stands while somebody, a dump for one, has the log open. */
async function leavePending(): Promise<void> {
  const [before, last] = await oldAttempts();
  await query(`DROP TABLE "${before!.name}"`);
  const detaching = `ALTER TABLE attempts DETACH PARTITION "${last!.name}"`;
  const [reader, client] = [await service.context.workerPool.connect(), await service.context.workerPool.connect()];
  await reader.query('BEGIN');
  await reader.query('SELECT FROM attempts LIMIT 1');
  await client.query(`SET statement_timeout = '200ms'`);
  while ((await oldAttempts())[0]!.state === 'attached')
    await client.query(`${detaching} CONCURRENTLY`).catch(() => {});
  client.release(true);
  onTestFinished(async () => {
    await reader.query('ROLLBACK');
    reader.release();
    await query(`${detaching} FINALIZE`);
    await query(`DROP TABLE "${last!.name}"`);
  });
}

test.each([
  ['while its attempts are being detached', leavePending],
  ['when its attempts are detached', detach],
])(
  'a replay of what an endpoint missed takes nothing of a day for missed %s, and the rest as ever',
  async (_when, go) => {
    const { tenant, endpoint, ask, old, young } = await twoDays();
    await logAttempt(service, tenant, old, endpoint, 1, 'delivered', 'done');
    const { body } = await ask('POST', '/replays', { endpoint_id: endpoint.id });
    // Made when the day was still to be kept.
    await query(
      `UPDATE replays SET filter = jsonb_set(filter::jsonb, '{plan,from}', to_jsonb($2::text)) WHERE id = $1`,
      [body.id, uuidFloor(OLD_MS - DAY_MS)],
    );
    await go();
    await advance();
    const { rows } = await query('SELECT event_id FROM mailbox WHERE endpoint_num = $1', [endpoint.num]);
    expect(rows).toEqual([{ event_id: young }]);
  },
);

test('what waits of a day without attempts keeps nobody from cancelling what waits for deleted endpoints', async () => {
  const { tenant, endpoint, old, young } = await twoDays();
  const other = await makeEndpoint(service, tenant);
  await logWaiting(service, tenant, old, endpoint);
  await logWaiting(service, tenant, young, endpoint);
  await logWaiting(service, tenant, young, other);
  await detach();
  await query('UPDATE endpoints SET deleted_at = now() WHERE num = ANY($1)', [[endpoint.num, other.num]]);
  await cancelForDeletedEndpoints(service.context.workerPool);
  await cancelForDeletedEndpoints(service.context.workerPool);
  // It goes with its day; the endpoint is looked at until then.
  const { rows } = await query(
    `SELECT m.event_id, e.cancelled_at FROM endpoints e LEFT JOIN mailbox m ON m.endpoint_num = e.num WHERE e.num = ANY($1) ORDER BY e.num`,
    [[endpoint.num, other.num]],
  );
  expect(rows).toEqual([
    { event_id: old, cancelled_at: null },
    { event_id: null, cancelled_at: expect.any(Date) },
  ]);
});

test('what waits of a day without attempts can be expunged and withdrawn, and is not there to be cancelled', async () => {
  const { tenant, endpoint, ask, old, young } = await twoDays();
  const other = await makeEndpoint(service, tenant);
  for (const each of [endpoint, other]) await logAttempt(service, tenant, young, each, 1, 'rejected', 'deadLetter');
  const { body } = await ask('POST', '/replays', { endpoint_id: endpoint.id, status: 'dead_lettered' });
  await advance();
  await logWaiting(service, tenant, old, endpoint, 1);
  await logWaiting(service, tenant, old, other, 1);
  await query('UPDATE mailbox SET replay_num = (SELECT num FROM replays WHERE id = $2) WHERE endpoint_num = $1', [
    endpoint.num,
    body.id,
  ]);
  await detach();
  expect(await ask('POST', `/deliveries/${deliveryIdOf(old, other.num)}/cancel`)).toMatchObject({ status: 404 });
  expect(await ask('DELETE', `/replays/${body.id}`)).toMatchObject({ status: 204 });
  const left = () => query('SELECT endpoint_num FROM mailbox WHERE event_id = $1', [old]);
  expect((await left()).rows).toEqual([{ endpoint_num: other.num }]);
  expect(await ask('DELETE', `/events/${eventIdOf(old)}/payload`)).toMatchObject({ status: 204 });
  expect((await left()).rows).toEqual([]);
});
