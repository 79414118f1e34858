import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { lockRedrives } from '../../src/store/redrive.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  logAttempt,
  logEvent,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const query = async (text: string, values: unknown[] = []) =>
  (await service.context.workerPool.query(text, values)).rows;

function replayerWith(pool: pg.Pool = service.context.workerPool) {
  const clock = { ms: 0 };
  return { replayer: replayerOf(pool, { nowMs: () => clock.ms }), clock };
}

async function start(tenant: TestTenant, body: object): Promise<string> {
  return (await call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}/replays`, body)).body.id;
}

async function logDelivered(tenant: TestTenant, endpoint: TestEndpoint, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const uuid = await logEvent(service, tenant);
    await logAttempt(service, tenant, uuid, endpoint, 1, 'delivered', 'done');
  }
}

/** A pool that keeps all rows which its transactions have read. */
function listening(pool: pg.Pool): { readonly pool: pg.Pool; readonly read: unknown[] } {
  const read: unknown[] = [];
  const connect = async () => {
    const client = await pool.connect();
    const ask = async (...args: Parameters<typeof client.query>) => {
      const result = (await client.query(...args)) as unknown as pg.QueryResult;
      read.push(...result.rows);
      return result;
    };
    return { query: ask, release: (broken?: boolean) => client.release(broken) };
  };
  return { pool: { query: pool.query.bind(pool), connect } as unknown as pg.Pool, read };
}

test('a replay reads what endpoints subscribe to for what its endpoint missed alone', async () => {
  const tenant = await makeTenant(service, 'frugal');
  const subscriptions = [{ types: ['subscribed.once'] }];
  const one = await makeEndpoint(service, tenant, { subscriptions });
  await makeEndpoint(service, tenant, { subscriptions });
  await logDelivered(tenant, one, 1);
  const readFor = async (body: object) => {
    await start(tenant, body);
    const { pool, read } = listening(service.context.workerPool);
    const { replayer } = replayerWith(pool);
    await queueReplays(replayer);
    expect(await query('DELETE FROM mailbox WHERE tenant_num = $1 RETURNING 1', [tenant.num])).toHaveLength(1);
    return JSON.stringify(read).match(/subscribed\.once/g)?.length ?? 0;
  };
  expect(await readFor({})).toBe(0);
  expect(await readFor({ endpoint_id: one.id, status: 'delivered' })).toBe(0);
  expect(await readFor({ endpoint_id: one.id })).toBe(1);
});

test('chunks grow although one waited for long: for the lock of its tenant, and not for what it had to do', async () => {
  const tenant = await makeTenant(service, 'patient');
  await logDelivered(tenant, await makeEndpoint(service, tenant), 160);
  await start(tenant, {});
  const { replayer, clock } = replayerWith();
  const holder = await service.context.workerPool.connect();
  onTestFinished(() => holder.release());
  await holder.query('BEGIN');
  await lockRedrives(holder, tenant.num);
  const first = replayer.runOnce();
  await eventually(
    () => query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`),
    (waiting) => waiting.length === 1,
  );
  clock.ms += 60_000;
  await holder.query('COMMIT');
  await first;
  const queued = async () => (await query('SELECT FROM mailbox WHERE tenant_num = $1', [tenant.num])).length;
  expect(await queued()).toBe(50);
  await replayer.runOnce();
  expect(await queued()).toBe(150);
});

test('a replay with as many deliveries waiting as may is looked at less and less often, and as before when it has moved', async () => {
  await query(`UPDATE replays SET state = 'completed'`);
  const tenant = await makeTenant(service, 'held');
  const endpoint = await makeEndpoint(service, tenant);
  await logDelivered(tenant, endpoint, 60);
  const id = await start(tenant, {});
  const { replayer, clock } = replayerWith();
  const fill = () =>
    query(
      `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, replay_num)
       SELECT gen_random_uuid(), now(), $1, $2, 0, true, num FROM replays, generate_series(1, 50000) WHERE id = $3`,
      [endpoint.num, tenant.num, id],
    );
  const empty = () => query('DELETE FROM mailbox WHERE tenant_num = $1', [tenant.num]);
  /** Seconds until it is looked at again, once nothing holds it any more. */
  const heldFor = async (holds: number) => {
    await fill();
    for (let hold = 0; hold < holds; hold++) {
      expect(await replayer.runOnce()).toBe('waiting');
      if (hold < holds - 1) clock.ms += 5_000;
    }
    await empty();
    for (let seconds = 0; ; seconds++, clock.ms += 1_000) {
      if ((await replayer.runOnce()) === 'moved') return seconds;
      expect(seconds).toBeLessThan(10);
    }
  };
  expect(await heldFor(1)).toBe(1);
  await query(`UPDATE replays SET cursor = NULL WHERE id = $1`, [id]);
  expect(await heldFor(4)).toBe(5);
  await query(`UPDATE replays SET cursor = NULL WHERE id = $1`, [id]);
  expect(await heldFor(1)).toBe(1);
});
