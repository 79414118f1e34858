import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

const OLD_MS = Date.now() - 3 * 86_400_000;
let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const query = (text: string, values: unknown[] = []) => service.context.workerPool.query(text, values);
const drop = () => dropOldPartitions(service.context.workerPool, Date.now(), 1, 1);
const ask = (tenant: TestTenant, method: string, path: string, body?: unknown) =>
  call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);

const advance = () => queueReplays(replayerOf(service.context.workerPool));

/** Sends what waits of these events. */
const deliver = (uuids: readonly string[]) =>
  query(
    `WITH gone AS (DELETE FROM mailbox WHERE event_id = ANY($1) RETURNING *)
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status)
     SELECT event_id, now(), endpoint_num, tenant_num, attempt + 1, 1, 1, 200 FROM gone`,
    [uuids],
  );

/** Three dead letters of three days ago and one of today: a replay queued the first, another the rest. */
async function replaysOfOldDays(id: string) {
  await ensurePartitions(service.context.workerPool, OLD_MS, 0);
  const tenant = await makeTenant(service, id);
  const endpoint = await makeEndpoint(service, tenant);
  const events: string[] = [];
  for (const ms of [OLD_MS, OLD_MS, OLD_MS, Date.now()]) {
    const uuid = await logEvent(service, tenant, 'order.created', uuidAt(ms));
    await logAttempt(service, tenant, uuid, endpoint, 1, 'rejected', 'deadLetter');
    events.push(uuid);
  }
  const start = async (uuids: readonly string[]) => {
    const delivery_ids = uuids.map((uuid) => deliveryIdOf(uuid, endpoint.num));
    const { body } = await ask(tenant, 'POST', '/replays', { status: 'dead_lettered', delivery_ids });
    await advance();
    return async () => (await ask(tenant, 'GET', `/replays/${body.id}`)).body;
  };
  return { tenant, events, first: await start(events.slice(0, 1)), rest: await start(events.slice(1)) };
}

test('what goes with its day before it was sent is not done, though its replay completes', async () => {
  const { events, first, rest } = await replaysOfOldDays('dropped');
  expect([await first(), await rest()]).toMatchObject([
    { matched: 1, done: 0 },
    { matched: 3, done: 0 },
  ]);
  await deliver(events.slice(1, 2));
  await drop();
  expect([await first(), await rest()]).toMatchObject([{ done: 0 }, { done: 1 }]);
  await deliver(events.slice(3));
  await advance();
  expect([await first(), await rest()]).toMatchObject([
    { state: 'completed', matched: 1, done: 0 },
    { state: 'completed', matched: 3, done: 2 },
  ]);
});

test('a drop waits for whoever holds a replay, holds none of its deliveries meanwhile, and counts from what it is then', async () => {
  const { tenant, events, rest } = await replaysOfOldDays('held');
  const holder = await service.context.workerPool.connect();
  onTestFinished(() => holder.release());
  await holder.query('BEGIN');
  await holder.query('SELECT FROM replays WHERE tenant_num = $1 ORDER BY num FOR UPDATE', [tenant.num]);
  const dropping = drop();
  await eventually(
    () => query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`),
    ({ rowCount }) => rowCount === 1,
  );
  await holder.query('DELETE FROM mailbox WHERE event_id = $1', [events[1]]);
  await holder.query('UPDATE replays SET matched = matched + 1, queued = queued + 1 WHERE tenant_num = $1', [
    tenant.num,
  ]);
  await holder.query('COMMIT');
  await dropping;
  // Sent: the one that was withdrawn meanwhile and the one that was added. Dropped: one. Waiting: that of today.
  expect(await rest()).toMatchObject({ matched: 4, done: 2 });
});
