import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf, parseEventId } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  logAttempt,
  logEvent,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
const failures: unknown[] = [];
const rung: number[] = [];

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const onFailure = (error: unknown) => void failures.push(error);
const makeReplayer = () =>
  replayerOf(service.context.workerPool, { ringEndpoints: (nums) => void rung.push(...nums), onFailure });

const ask = (tenant: TestTenant, method: string, path: string, body?: unknown) =>
  call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);

/** Lets the replayer go as far as it can without any delivery being made. */
async function queueAll(replayer = makeReplayer()): Promise<void> {
  await queueReplays(replayer);
  expect(failures).toEqual([]);
}

async function replay(tenant: TestTenant, body: unknown): Promise<string> {
  const answer = await ask(tenant, 'POST', '/replays', body);
  expect(answer).toMatchObject({ status: 202, body: { state: 'pending', matched: 0, done: 0 } });
  return answer.body.id;
}

async function queued(
  tenant: TestTenant,
): Promise<{ event: string; endpoint: number; attempt: number; lane: number; replay: number | null }[]> {
  const { rows } = await service.context.apiPool.query(
    'SELECT event_id AS event, endpoint_num AS endpoint, attempt, lane, replay_num AS replay FROM mailbox WHERE tenant_num = $1 ORDER BY 1, 2',
    [tenant.num],
  );
  return rows;
}

/** Does what lanes do: makes every delivery of the tenant that waits. */
async function deliverAll(tenant: TestTenant): Promise<void> {
  await service.context.apiPool.query(
    `WITH gone AS (DELETE FROM mailbox WHERE tenant_num = $1 RETURNING *)
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status)
     SELECT event_id, now(), endpoint_num, tenant_num, attempt + 1, 1, 1, 200 FROM gone`,
    [tenant.num],
  );
}

async function history(id: string) {
  const tenant = await makeTenant(service, id);
  const one = await makeEndpoint(service, tenant, { subscriptions: [{ types: ['order.*'] }] });
  const two = await makeEndpoint(service, tenant);
  const [dead, done, cancelled, missed, waiting, other] = [
    await logEvent(service, tenant, 'order.dead'),
    await logEvent(service, tenant, 'order.done'),
    await logEvent(service, tenant, 'order.cancelled'),
    await logEvent(service, tenant, 'order.missed'),
    await logEvent(service, tenant, 'order.waiting'),
    await logEvent(service, tenant, 'invoice.paid'),
  ];
  await logAttempt(service, tenant, dead, one, 1, 'rejected', 'retry');
  await logAttempt(service, tenant, dead, one, 2, 'rejected', 'deadLetter');
  await logAttempt(service, tenant, dead, two, 1, 'rejected', 'deadLetter');
  await logAttempt(service, tenant, done, one, 1, 'delivered', 'done');
  await logAttempt(service, tenant, done, two, 1, 'rejected', 'deadLetter');
  await logAttempt(service, tenant, done, two, 2, 'delivered', 'done');
  await logAttempt(service, tenant, cancelled, one, 2, 'skipped', 'cancel');
  await logAttempt(service, tenant, waiting, one, 1, 'rejected', 'deadLetter');
  await logWaiting(service, tenant, waiting, one, 1);
  return { tenant, one, two, dead, done, cancelled, missed, waiting, other };
}

const short = (rows: { event: string; endpoint: number; attempt: number }[]) =>
  rows.map(({ event, endpoint, attempt }) => [event, endpoint, attempt]);

test('a replay of a status reopens the deliveries that have it now, with their next attempt number, and completes when they had their attempt', async () => {
  const { tenant, one, two, dead, waiting } = await history('redrive');
  const id = await replay(tenant, { status: 'dead_lettered' });
  await queueAll();
  const rows = await queued(tenant);
  expect(short(rows)).toEqual([
    [dead, one.num, 2],
    [dead, two.num, 1],
    [waiting, one.num, 1],
  ]);
  expect(rung.filter((num) => num === one.num || num === two.num).sort()).toEqual([one.num, two.num].sort());
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({
    id,
    state: 'running',
    matched: 2,
    done: 0,
    request: { status: 'dead_lettered' },
  });
  await deliverAll(tenant);
  await queueAll();
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({ state: 'completed', matched: 2, done: 2 });
  expect((await ask(tenant, 'GET', `/deliveries/${deliveryIdOf(dead, one.num)}`)).body).toMatchObject({
    status: 'delivered',
    attempts: 3,
  });
  expect((await ask(tenant, 'DELETE', `/replays/${id}`)).status).toBe(409);
});

test.each(['delivered', 'cancelled'] as const)('a replay of what was %s leaves the rest alone', async (status) => {
  const { tenant, one, two, done, cancelled, waiting } = await history(`replay-${status}`);
  await replay(tenant, { status });
  await queueAll();
  const wanted =
    status === 'delivered'
      ? [
          [done, one.num, 1],
          [done, two.num, 2],
        ]
      : [[cancelled, one.num, 2]];
  expect(short(await queued(tenant))).toEqual([...wanted, [waiting, one.num, 1]]);
});

test('without a status every ended delivery is made again, those waiting are left alone, and with an endpoint what it missed is made too', async () => {
  const { tenant, one, two, dead, done, cancelled, missed, waiting } = await history('all-again');
  const id = await replay(tenant, { endpoint_id: one.id });
  await queueAll();
  expect(short(await queued(tenant))).toEqual([
    [dead, one.num, 2],
    [done, one.num, 1],
    [cancelled, one.num, 2],
    [missed, one.num, 0],
    [waiting, one.num, 1],
  ]);
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({ matched: 4, done: 0 });
  await replay(tenant, {});
  await queueAll();
  expect(short(await queued(tenant)).filter(([, endpoint]) => endpoint === two.num)).toEqual([
    [dead, two.num, 1],
    [done, two.num, 2],
  ]);
});

test('an event that was sent to one endpoint to try it is brought to no other, and again to the one that had it', async () => {
  const tenant = await makeTenant(service, 'tried');
  const [tried, other] = [await makeEndpoint(service, tenant), await makeEndpoint(service, tenant)];
  const { body } = await ask(tenant, 'POST', `/endpoints/${tried.id}/test`, { type: 'order.paid' });
  const real = await logEvent(service, tenant, 'order.paid');
  await deliverAll(tenant);
  await replay(tenant, { endpoint_id: other.id });
  await replay(tenant, { endpoint_id: other.id, event_ids: [body.event_id] });
  await replay(tenant, { endpoint_id: tried.id, event_ids: [body.event_id] });
  await queueAll();
  expect(short(await queued(tenant))).toEqual([
    [parseEventId(body.event_id), tried.num, 1],
    [real, other.num, 0],
  ]);
});

test('types, event ids and times narrow a replay', async () => {
  const { tenant, one, dead, done, missed, other } = await history('narrow');
  const endpoint_id = one.id;
  const idOf = async (body: object) => {
    const id = await replay(tenant, { endpoint_id, ...body });
    await queueAll();
    const rows = (await queued(tenant)).filter((row) => row.replay !== null).map((row) => row.event);
    expect((await ask(tenant, 'DELETE', `/replays/${id}`)).status).toBe(rows.length === 0 ? 409 : 204);
    return rows;
  };
  expect(await idOf({ types: ['*.missed', 'invoice.**'] })).toEqual([missed]);
  expect(await idOf({ event_ids: [eventIdOf(done), eventIdOf(dead), eventIdOf(other)] })).toEqual([dead, done]);
  expect(await idOf({ until: '2020-01-01T00:00:00Z' })).toEqual([]);
  // Events are accepted at whole milliseconds: there is none between these.
  expect(await idOf({ since: '2020-01-01T00:00:00.0001Z', until: '2020-01-01T00:00:00.0009Z' })).toEqual([]);
  expect(
    await idOf({ since: '2020-01-01T00:00:00Z', until: '2030-01-01T00:00:00Z', types: ['order.nothing'] }),
  ).toEqual([]);
  expect(await idOf({ since: '2020-01-01T00:00:00Z', types: ['order.done'] })).toEqual([done]);
});

test('a cancelled replay withdraws what was not tried, and the deliveries are what they were', async () => {
  const { tenant, one, dead, missed, waiting } = await history('withdraw');
  const id = await replay(tenant, { endpoint_id: one.id });
  await queueAll();
  expect((await ask(tenant, 'GET', `/deliveries/${deliveryIdOf(missed, one.num)}`)).body.status).toBe('pending');
  await service.context.apiPool.query('DELETE FROM mailbox WHERE event_id = $1 AND endpoint_num = $2', [dead, one.num]);
  await logAttempt(service, tenant, dead, one, 3, 'delivered', 'done');
  for (let times = 0; times < 2; times++) expect((await ask(tenant, 'DELETE', `/replays/${id}`)).status).toBe(204);
  expect(short(await queued(tenant))).toEqual([[waiting, one.num, 1]]);
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({ state: 'cancelled', matched: 4, done: 1 });
  expect((await ask(tenant, 'GET', `/deliveries/${deliveryIdOf(missed, one.num)}`)).status).toBe(404);
  expect((await ask(tenant, 'GET', `/deliveries/${deliveryIdOf(dead, one.num)}`)).body.status).toBe('delivered');
});

test('disabled and deleted endpoints and expunged events are passed over, and a disabled endpoint cannot be asked for', async () => {
  const { tenant, one, two, dead, done } = await history('passed-over');
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: false });
  await ask(tenant, 'DELETE', `/events/${eventIdOf(dead)}/payload`);
  expect(await ask(tenant, 'POST', '/replays', { endpoint_id: one.id })).toMatchObject({
    status: 409,
    body: { code: 'endpoint_disabled' },
  });
  const all = await replay(tenant, {});
  await queueAll();
  expect(short((await queued(tenant)).filter((row) => row.replay !== null))).toEqual([[done, two.num, 2]]);
  // What is done and what is cancelled; not the expunged one, nor what waits.
  expect((await ask(tenant, 'GET', `/replays/${all}`)).body).toMatchObject({ matched: 1, skipped: 2 });
  await ask(tenant, 'DELETE', `/endpoints/${two.id}`);
  expect((await ask(tenant, 'POST', '/replays', { endpoint_id: two.id })).body.errors).toEqual([
    { path: 'endpoint_id', message: 'no such endpoint' },
  ]);
});

test('a redrive counts the dead letters that it leaves out because their endpoints are disabled, and no others', async () => {
  const { tenant, one, two, dead, waiting } = await history('skipped');
  const counts = async (body: object) => {
    const id = await replay(tenant, { status: 'dead_lettered', ...body });
    await queueAll();
    const { state, matched, skipped } = (await ask(tenant, 'GET', `/replays/${id}`)).body;
    return [state, matched, skipped];
  };
  const ids = [deliveryIdOf(dead, one.num), deliveryIdOf(dead, two.num)];
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: false });
  expect(await counts({ delivery_ids: ids.slice(0, 1) })).toEqual(['completed', 0, 1]);
  expect(await counts({ reason: 'timeout' })).toEqual(['completed', 0, 0]);
  expect(await counts({ types: ['invoice.*'] })).toEqual(['completed', 0, 0]);
  await ask(tenant, 'PATCH', `/endpoints/${two.id}`, { enabled: false });
  expect(await counts({ reason: 'rejected' })).toEqual(['completed', 0, 2]);
  await ask(tenant, 'DELETE', `/endpoints/${two.id}`);
  expect(await counts({})).toEqual(['completed', 0, 1]);
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: true });
  expect(await counts({})).toEqual(['running', 1, 0]);
  expect(short(await queued(tenant))).toEqual([
    [dead, one.num, 2],
    [waiting, one.num, 1],
  ]);
});

test('a redrive that left out more than can be counted comes to its end all the same', async () => {
  const { tenant, one } = await history('skipped-without-end');
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: false });
  const id = await replay(tenant, { status: 'dead_lettered', types: ['order.dead'] });
  const most = 2_147_483_647;
  await service.context.apiPool.query('UPDATE replays SET skipped = $1 WHERE id = $2', [most, id]);
  await queueAll();
  await deliverAll(tenant);
  await queueAll();
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({
    state: 'completed',
    matched: 1,
    skipped: most,
  });
});

test('a large replay never has much more than 500 deliveries in the lanes, and workers side by side queue each delivery once', async () => {
  const tenant = await makeTenant(service, 'large');
  const endpoint = await makeEndpoint(service, tenant);
  const total = 2_300;
  for (let i = 0; i < total; i++) await logEvent(service, tenant);
  await service.context.apiPool.query(
    'INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision) SELECT id, now(), $2, $1, 1, 12, 3 FROM events WHERE tenant_num = $1',
    [tenant.num, endpoint.num],
  );
  const id = await replay(tenant, { status: 'dead_lettered' });
  const workers = [makeReplayer(), makeReplayer(), makeReplayer()];
  let most = 0;
  for (let rounds = 0; rounds < 40; rounds++) {
    await Promise.all(workers.map((worker) => queueAll(worker)));
    const rows = await queued(tenant);
    most = Math.max(most, rows.length);
    if (rows.length === 0) break;
    await deliverAll(tenant);
  }
  expect(most).toBeGreaterThanOrEqual(500);
  expect(most).toBeLessThan(1_000);
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({
    state: 'completed',
    matched: total,
    done: total,
  });
  const { rows } = await service.context.apiPool.query(
    'SELECT count(*)::int AS n, max(attempt) AS last FROM attempts WHERE tenant_num = $1',
    [tenant.num],
  );
  expect(rows).toEqual([{ n: total * 2, last: 2 }]);
});

test('a worker that dies in the middle of a chunk leaves nothing of it, and the next one makes it', async () => {
  const { tenant, one, dead } = await history('dies');
  const id = await replay(tenant, { endpoint_id: one.id, status: 'dead_lettered' });
  const { workerPool } = service.context;
  // The connection of the transaction that would have queued the chunk ends just before its commit.
  const dying = replayerOf(
    Object.assign(Object.create(workerPool), {
      connect: async (...given: Parameters<typeof workerPool.connect>) => {
        // `pool.query` asks with a callback, a transaction without.
        if (given.length > 0) return workerPool.connect(...given);
        const client = await workerPool.connect();
        const query = client.query.bind(client) as (...args: unknown[]) => unknown;
        client.query = ((text: unknown, ...rest: unknown[]) =>
          text === 'COMMIT' ? Promise.reject(new Error('killed')) : query(text, ...rest)) as typeof client.query;
        return client;
      },
    }),
    { onFailure },
  );
  expect(await dying.runOnce()).toBe('waiting');
  await untilUnlocked(id);
  expect(failures.splice(0)).toHaveLength(await notQueued());
  expect((await queued(tenant)).filter((row) => row.replay !== null)).toEqual([]);
  await queueAll();
  expect(short((await queued(tenant)).filter((row) => row.replay !== null))).toEqual([[dead, one.num, 2]]);
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body).toMatchObject({ matched: 1 });
});

test('a cancel that comes while a chunk is being queued withdraws that chunk too', async () => {
  const { tenant, one } = await history('cancel-meanwhile');
  const id = await replay(tenant, { endpoint_id: one.id, status: 'dead_lettered' });
  const { workerPool } = service.context;
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = replayerOf(
    Object.assign(Object.create(workerPool), {
      connect: async (...given: Parameters<typeof workerPool.connect>) => {
        if (given.length > 0) return workerPool.connect(...given);
        const client = await workerPool.connect();
        const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
        const gated = async (text: unknown, values: unknown[]) => {
          if (String(text).includes('INSERT INTO mailbox') && values[1] === tenant.num) {
            reached.resolve();
            await gate.promise;
          }
          return query(text, values);
        };
        return Object.assign(Object.create(client), {
          query: gated,
          release: (broken: boolean) => client.release(broken),
        });
      },
    }),
    { onFailure },
  );
  const running = slow.runOnce();
  await reached.promise;
  let isAnswered = false;
  const cancelled = ask(tenant, 'DELETE', `/replays/${id}`).finally(() => {
    isAnswered = true;
  });
  await eventually(async () => isAnswered || (await lockWaits()) > 0, Boolean);
  gate.resolve();
  expect((await cancelled).status).toBe(204);
  await running;
  expect(failures).toEqual([]);
  expect((await ask(tenant, 'GET', `/replays/${id}`)).body.state).toBe('cancelled');
  expect((await queued(tenant)).filter((row) => row.replay !== null)).toEqual([]);
});

/** Postgres hears a moment later that a connection has ended: until then nobody else may have what its transaction locked. */
async function untilUnlocked(id: string): Promise<void> {
  await service.context.apiPool.query('SELECT 1 FROM replays WHERE id = $1 FOR UPDATE', [id]);
}

async function lockWaits(): Promise<number> {
  const { rows } = await service.context.workerPool.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM replays%'`,
  );
  return rows[0].n;
}

/** Replays that have more to do than wait for what they queued. */
async function notQueued(): Promise<number> {
  const { rows } = await service.context.apiPool.query(
    `SELECT count(*)::int AS n FROM replays r WHERE state IN ('pending', 'running')
        AND (cursor IS NULL OR cursor < (filter->'plan'->>'to')::uuid OR NOT EXISTS (SELECT FROM mailbox m WHERE m.replay_num = r.num))`,
  );
  return rows[0].n;
}

test('replays are made by the lanes: same webhook-id, next attempt number', async () => {
  const receiver = await startReceiver((_request, response) => void response.writeHead(410).end());
  const worker = await startTestService({ databaseUrl: service.databaseUrl, worker: true });
  try {
    const tenant = await makeTenant(service, 'by-lanes');
    const endpoint = await makeEndpoint(service, tenant, { url: receiver.url });
    const { body } = await call(service.baseUrl, 'POST', '/v1/events', {
      type: 'order.created',
      tenant_id: tenant.id,
      data: {},
    });
    await eventually(
      () => ask(tenant, 'GET', '/deliveries'),
      (answer) => answer.body.data[0]?.status === 'dead_lettered',
    );
    // The 410 disables the endpoint in a statement of its own: enabling it before that would be undone.
    await eventually(
      () => ask(tenant, 'GET', `/endpoints/${endpoint.id}`),
      (answer) => answer.body.enabled === false,
    );
    receiver.behave((_request, response) => void response.writeHead(204).end());
    await ask(tenant, 'PATCH', `/endpoints/${endpoint.id}`, { enabled: true });
    const id = await replay(tenant, { status: 'dead_lettered' });
    await queueAll();
    const requests = await receiver.received(2);
    expect(requests.map(({ headers }) => [headers['webhook-id'], headers['posthorn-attempt']])).toEqual([
      [body.id, '1'],
      [body.id, '2'],
    ]);
    await eventually(
      async () => {
        await queueAll();
        return ask(tenant, 'GET', `/replays/${id}`);
      },
      (answer) => answer.body.state === 'completed' && answer.body.done === 1,
    );
  } finally {
    await worker.stop();
    await receiver.close();
  }
});

let fresh: { tenant: TestTenant; endpoint: TestEndpoint } | undefined;
const quiet = async () => {
  const tenant = await makeTenant(service, 'bad-requests');
  fresh ??= { tenant, endpoint: await makeEndpoint(service, tenant) };
  return fresh;
};

test.each<[unknown, string]>([
  [{ status: 'pending' }, 'status'],
  [{ types: [] }, 'types'],
  [{ types: ['a..b'] }, 'types.0'],
  [{ event_ids: [] }, 'event_ids'],
  [{ event_ids: ['a.b'] }, 'event_ids.0'],
  [{ event_ids: ['unknown'] }, 'event_ids.0'],
  [{ event_ids: Array.from({ length: 1_001 }, (_, i) => `e${i}`) }, 'event_ids'],
  [{ endpoint_id: 'ep_unknown' }, 'endpoint_id'],
  [{ endpoint_id: '\u0000' }, 'endpoint_id'],
  [{ since: 'yesterday' }, 'since'],
  [{ since: '2024-01-02T00:00:00Z', until: '2024-01-01T00:00:00Z' }, 'until'],
  [{ since: '2024-01-01T00:00:00.0009Z', until: '2024-01-01T00:00:00.0001Z' }, 'until'],
  [{ since: '2024-01-01T00:00:00.0001Z', until: '2024-01-01T00:00:00.00010Z' }, 'until'],
  [{ colour: 1 }, 'colour'],
])('a replay that cannot be made is 422 with its path: %j', async (body, path) => {
  const { tenant } = await quiet();
  const answer = await ask(tenant, 'POST', '/replays', body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].path).toBe(path);
});

test('a tenant sees its own replays only, and has ten under way at most', async () => {
  const { tenant } = await quiet();
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.unshift(await replay(tenant, {}));
  expect(await ask(tenant, 'POST', '/replays', {})).toMatchObject({ status: 409, body: { code: 'too_many_replays' } });
  const first = await ask(tenant, 'GET', '/replays?limit=6');
  const second = await ask(tenant, 'GET', `/replays?limit=6&cursor=${first.body.next}`);
  expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual(ids);
  expect(second.body.next).toBeNull();
  const other = await makeTenant(service, 'other-replays');
  for (const id of [ids[0], 'rpl_x', `rpl_${'0'.repeat(26)}`]) {
    expect((await ask(other, 'GET', `/replays/${id}`)).status).toBe(404);
    expect((await ask(other, 'DELETE', `/replays/${id}`)).status).toBe(404);
  }
});
