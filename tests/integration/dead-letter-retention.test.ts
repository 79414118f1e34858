import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf, newUuid, uuidFloor } from '../../src/domain/ids.ts';
import { forgetDeadLetters } from '../../src/store/kept-dead-letters.ts';
import { ensurePartitions, listPartitions } from '../../src/store/partitions.ts';
import { restoreKept } from '../../src/store/restore-kept.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { call } from '../support/api.ts';
import { dropInTurn } from '../support/drop-in-turn.ts';
import { eventually } from '../support/eventually.ts';
import {
  logAttempt,
  logEvent,
  logPaused,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestTenant,
} from '../support/log-fixture.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';
import { dayOf } from '../support/written-days.ts';

const DAY_MS = 86_400_000;
const OLD_MS = Date.now() - 40 * DAY_MS;

let service: TestService;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver((_request, response) => void response.writeHead(204).end());
  service = await startTestService({ worker: true });
  // The worker looks for old days itself when it starts, and not again for an hour: the days of these tests are made after that. These are
  // the last duties of its two rounds, neither of which waits for the other.
  const isOver = (text: string, duty: string) =>
    new RegExp(`^posthorn_housekeeping_runs_total\\{.*"${duty}".*\\} 1$`, 'm').test(text);
  await eventually(
    () => service.context.observe.metrics.text(),
    (text) => ['dead_letters_forgotten', 'ends_added'].every((duty) => isOver(text, duty)),
  );
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const ask = (tenant: TestTenant, method: string, path: string, body?: unknown) =>
  call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);
const query = async (text: string, values: unknown[] = []) =>
  (await service.context.workerPool.query(text, values)).rows;
/** Resolves when a statement that has this in it waits for a lock. */
const untilBlocked = (part: string) =>
  eventually(
    () =>
      query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${part}%`],
      ),
    (rows) => rows.length > 0,
  );
const oldUuid = () => uuidAt(OLD_MS);
const lettersOf = async (tenant: TestTenant) =>
  (await ask(tenant, 'GET', '/dead-letters')).body.data.map((letter: { delivery_id: string }) => letter.delivery_id);

/** An event of forty days ago with two dead letters, and what else a day may hold. */
async function oldDay(id: string) {
  await ensurePartitions(service.context.workerPool, OLD_MS, 0);
  const tenant = await makeTenant(service, id);
  const one = await makeEndpoint(service, tenant, { url: `${receiver.url}/${id}/one` });
  const two = await makeEndpoint(service, tenant, { url: `${receiver.url}/${id}/two` });
  const log = (type?: string) => logEvent(service, tenant, type, oldUuid());
  const [dead, delivered, purged, waiting] = [await log(), await log(), await log(), await log()];
  await logAttempt(service, tenant, dead, one, 1, 'timeout', 'retry');
  await logAttempt(service, tenant, dead, one, 2, 'rejected', 'deadLetter');
  await logAttempt(service, tenant, dead, two, 1, 'tls', 'deadLetter');
  await logAttempt(service, tenant, delivered, one, 1, 'tls', 'deadLetter');
  await logAttempt(service, tenant, delivered, one, 2, 'delivered', 'done');
  await logAttempt(service, tenant, purged, one, 1, 'tls', 'deadLetter');
  await ask(tenant, 'POST', '/dead-letters/purge', { delivery_ids: [deliveryIdOf(purged, one.num)] });
  await logAttempt(service, tenant, waiting, one, 1, 'dns', 'deadLetter');
  await logWaiting(service, tenant, waiting, one, 1);
  return { tenant, one, two, dead, waiting };
}

const drop = () => dropOldPartitions(service.context.workerPool, Date.now(), 30, 90);
const oldPartitions = async () =>
  (await listPartitions(service.context.workerPool)).filter(({ dayMs }) => dayMs < Date.now() - 35 * DAY_MS);

test('dead letters outlive the day of their event: listed, inspected, counted and read as before; the rest goes', async () => {
  const { tenant, one, two, dead, waiting } = await oldDay('outlive');
  await ask(tenant, 'POST', '/endpoints', { url: 'http://127.0.0.1:9/' });
  const path = `/dead-letters/${deliveryIdOf(dead, one.num)}`;
  const before = [(await ask(tenant, 'GET', path)).body, (await ask(tenant, 'GET', `/events/${eventIdOf(dead)}`)).body];
  const list = await lettersOf(tenant);
  expect(list).toHaveLength(2);
  await drop();
  expect(await oldPartitions()).toEqual([]);
  // The one that waited to be made again is a dead letter again.
  expect((await lettersOf(tenant)).sort()).toEqual([...list, deliveryIdOf(waiting, one.num)].sort());
  const after = [(await ask(tenant, 'GET', path)).body, (await ask(tenant, 'GET', `/events/${eventIdOf(dead)}`)).body];
  expect(after).toEqual(before);
  expect((await ask(tenant, 'GET', '/dead-letters/stats')).body).toMatchObject({
    total: 3,
    by_reason: { rejected: 1, tls: 1, dns: 1 },
    by_endpoint: { [one.id]: 2, [two.id]: 1 },
  });
  expect((await ask(tenant, 'GET', '/dead-letters?reason=tls&type=order.created')).body.data).toHaveLength(1);
  const { body } = await ask(tenant, 'GET', '/dead-letters?limit=1');
  const rest = await ask(tenant, 'GET', `/dead-letters?limit=2&cursor=${body.next}`);
  expect([...body.data, ...rest.body.data]).toHaveLength(3);
  expect(await query('SELECT count(*)::int AS n FROM kept_events WHERE tenant_num = $1', [tenant.num])).toEqual([
    { n: 2 },
  ]);
});

test('a dead letter is in sight at every moment of the dropping of its day', async () => {
  const { tenant } = await oldDay('in-sight');
  const list = await lettersOf(tenant);
  const day = dayOf(OLD_MS);
  const seen: string[][] = [];
  const slow = poolThatCopies(async (client, text, values) => {
    const look = async () => text.includes(day) && seen.push(await lettersOf(tenant));
    await look();
    const result = await client.query(text, values);
    await look();
    return result;
  });
  await dropOldPartitions(slow, Date.now(), 30, 90);
  expect(seen).toHaveLength(2);
  for (const each of [...seen, await lettersOf(tenant)]) expect(each).toEqual(expect.arrayContaining(list));
  // In one place at a time.
  for (const each of seen) expect(new Set(each).size).toBe(each.length);
  expect(await oldPartitions()).toEqual([]);
});

test('a day that somebody reads all the while is dropped all the same, and keeps its dead letters', async () => {
  const { tenant } = await oldDay('in-use');
  const list = await lettersOf(tenant);
  const reader = await service.context.apiPool.connect();
  try {
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM attempts');
    const dropping = drop();
    // The concurrent detachment waits for the reader.
    const waiting = () =>
      query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%DETACH PARTITION%CONCURRENTLY%' AND wait_event_type = 'Lock'`,
      );
    await eventually(waiting, ({ length }) => length > 0);
    await reader.query('COMMIT');
    await dropping;
  } finally {
    reader.release(true);
  }
  expect(await lettersOf(tenant)).toEqual(expect.arrayContaining(list));
  expect(await oldPartitions()).toEqual([]);
});

test('a redrive after the day was dropped delivers the same event under the same webhook-id, and ends the dead letter', async () => {
  const { tenant, one, dead } = await oldDay('brought-back');
  const id = eventIdOf(dead);
  await drop();
  const { data } = (await ask(tenant, 'GET', `/events/${id}`)).body;
  const answer = await ask(tenant, 'POST', '/dead-letters/redrive', {
    delivery_ids: [deliveryIdOf(dead, one.num)],
  });
  expect(answer.status).toBe(202);
  const done = await eventually(
    () => ask(tenant, 'GET', `/replays/${answer.body.id}`),
    ({ body }) => body.state === 'completed',
  );
  expect(done.body).toMatchObject({ matched: 1, done: 1 });
  const requests = receiver.requests.filter(({ path }) => path === '/brought-back/one');
  expect(requests.map(({ headers }) => [headers['webhook-id'], headers['posthorn-attempt']])).toEqual([[id, '3']]);
  expect((await ask(tenant, 'GET', `/events/${id}`)).body.data).toEqual(data);
  const deliveries = (await ask(tenant, 'GET', `/deliveries?event_id=${id}`)).body.data;
  expect(deliveries.map((each: { status: string }) => each.status).sort()).toEqual(['dead_lettered', 'delivered']);
  // What was not asked for is a dead letter still, and can be redriven as well.
  expect((await ask(tenant, 'GET', `/dead-letters?event_id=${id}`)).body.data).toHaveLength(1);
});

test('a redrive after the day was dropped counts what it leaves out because the endpoint is disabled, brought back or not', async () => {
  const { tenant, one } = await oldDay('left-out');
  await drop();
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: false });
  const redrive = (await ask(tenant, 'POST', '/dead-letters/redrive', {})).body;
  // One event has another dead letter and comes back for that, the other one stays where it is.
  const ended = await eventually(
    async () => (await ask(tenant, 'GET', `/replays/${redrive.id}`)).body,
    ({ state }) => state === 'completed',
  );
  expect(ended).toMatchObject({ matched: 1, done: 1, skipped: 2 });
});

test('a redrive counts what it leaves out once while the day is half dropped: its events are still in the log, and their dead letters are kept elsewhere', async () => {
  const { tenant, one, dead } = await oldDay('half-dropped');
  const half = new AbortController();
  const stopping = poolThatCopies(async (client, text, values) => {
    const result = await client.query(text, values);
    // The first day that is dropped may be empty. This one's attempts are detached all the same; its events come after them.
    if (result.rows.length > 0) half.abort(new Error('planted'));
    return result;
  });
  const dropping = dropOldPartitions(stopping, Date.now(), 30, 90, { signal: half.signal });
  await expect(dropping).rejects.toThrow('planted');
  const inBoth = 'SELECT FROM events v JOIN kept_events k ON k.id = v.id WHERE v.id = $1';
  expect(await query(inBoth, [dead])).toHaveLength(1);
  await ask(tenant, 'PATCH', `/endpoints/${one.id}`, { enabled: false });
  const redrive = (await ask(tenant, 'POST', '/dead-letters/redrive', {})).body;
  const ended = await eventually(
    async () => (await ask(tenant, 'GET', `/replays/${redrive.id}`)).body,
    ({ state }) => state === 'completed',
  );
  expect(ended).toMatchObject({ matched: 1, done: 1, skipped: 2 });
  await drop();
});

test('one dead letter is retried after its day was dropped, and all are by their reason', async () => {
  const { tenant, one, dead, waiting } = await oldDay('retried');
  await drop();
  const answer = await ask(tenant, 'POST', `/deliveries/${deliveryIdOf(dead, one.num)}/retry`, {});
  expect(answer).toMatchObject({ status: 202, body: { event_id: eventIdOf(dead), endpoint_id: one.id } });
  await ask(tenant, 'POST', '/replays', { status: 'dead_lettered', reason: 'dns' });
  const delivered = () => receiver.requests.filter(({ path }) => path.startsWith('/retried/'));
  await eventually(
    async () => delivered(),
    (found) => found.length === 2,
  );
  const ids = delivered().map(({ headers }) => headers['webhook-id']);
  expect(ids.sort()).toEqual([eventIdOf(dead), eventIdOf(waiting)].sort());
  expect((await ask(tenant, 'GET', '/dead-letters')).body.data.map((each: { reason: string }) => each.reason)).toEqual([
    'tls',
  ]);
});

test('in order, a dead letter that outlived its day still goes before what stands behind it, and lets it go when it is forgotten', async () => {
  const { tenant, dead } = await oldDay('ordered');
  const settings = { order: 'endpoint', on_dead_letter: 'pause', url: `${receiver.url}/ordered/in-turn` };
  const [retried, forgotten] = [
    await makeEndpoint(service, tenant, settings),
    await makeEndpoint(service, tenant, settings),
  ];
  for (const endpoint of [retried, forgotten])
    await logAttempt(service, tenant, dead, endpoint, 1, 'dns', 'deadLetter');
  const behind = await logPaused(service, tenant, dead, retried);
  const other = await logPaused(service, tenant, dead, forgotten);
  await drop();
  const pausedOf = () => query('SELECT event_id FROM paused_keys WHERE endpoint_num = $1', [forgotten.num]);
  const delivered = (count: number) =>
    eventually(
      async () => receiver.requests.filter(({ path }) => path === '/ordered/in-turn'),
      (found) => found.length === count,
    );
  await ask(tenant, 'POST', `/deliveries/${deliveryIdOf(dead, retried.num)}/retry`, {});
  expect((await delivered(2)).map(({ headers }) => headers['webhook-id'])).toEqual([
    eventIdOf(dead),
    eventIdOf(behind),
  ]);
  // Its event was brought back for both.
  const [renamed] = await pausedOf();
  expect(renamed.event_id).not.toBe(dead);
  await query('UPDATE paused_keys SET event_id = $1 WHERE endpoint_num = $2', [dead, forgotten.num]);
  await forgetDeadLetters(service.context.workerPool, uuidFloor(OLD_MS + DAY_MS));
  expect(await pausedOf()).toEqual([]);
  expect((await delivered(3)).map(({ headers }) => headers['webhook-id'])).toContain(eventIdOf(other));
});

test('keys that wait for dead letters which are forgotten go on some at a time, all of them, and after an interruption too', async () => {
  const { workerPool } = service.context;
  const { tenant, dead } = await oldDay('many-keys');
  const endpoint = await makeEndpoint(service, tenant, { order: 'subject', on_dead_letter: 'pause', enabled: false });
  await drop();
  const young = newUuid(Date.now());
  const KEYS = 2_500;
  await query(
    `INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq)
     SELECT $1, key, CASE WHEN key % 2 = 0 THEN $2::uuid ELSE $3::uuid END, 1 FROM generate_series(-${KEYS}, ${KEYS - 1}) key`,
    [endpoint.num, dead, young],
  );
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), 'infinity', $1, $2, 0, true, key, 2 FROM generate_series(-${KEYS}, ${KEYS - 1}) key`,
    [endpoint.num, tenant.num],
  );
  const left = async () =>
    (
      await query(
        `SELECT count(*) FILTER (WHERE event_id = $2)::int AS old, count(*) FILTER (WHERE event_id = $3)::int AS young,
                (SELECT count(*)::int FROM mailbox WHERE endpoint_num = $1 AND parked) AS behind FROM paused_keys WHERE endpoint_num = $1`,
        [endpoint.num, dead, young],
      )
    )[0];
  const until = uuidFloor(OLD_MS + DAY_MS);
  const stopping = new AbortController();
  const steps: number[] = [];
  const counting = {
    query: async (text: string, values: unknown[]) => {
      if (!/DELETE FROM paused_keys/.test(text)) return workerPool.query(text, values);
      const before = (await left()).old;
      const result = await workerPool.query(text, values);
      steps.push(before - (await left()).old);
      stopping.abort();
      return result;
    },
  } as unknown as pg.Pool;
  await forgetDeadLetters(counting, until, stopping.signal);
  expect(steps).toEqual([500]);
  expect(await left()).toEqual({ old: KEYS - 500, young: KEYS, behind: 2 * KEYS - 500 });
  await forgetDeadLetters(counting, until);
  expect(Math.max(...steps)).toBeLessThanOrEqual(1_000);
  expect(await left()).toEqual({ old: 0, young: KEYS, behind: KEYS });
  await query('DELETE FROM paused_keys WHERE endpoint_num = $1', [endpoint.num]);
  await query('DELETE FROM mailbox WHERE endpoint_num = $1', [endpoint.num]);
});

test('a redrive that is cancelled leaves what it brought back a dead letter', async () => {
  const { tenant, one, dead } = await oldDay('cancelled-redrive');
  await drop();
  receiver.behave((_request, _response) => {});
  const { id } = (await ask(tenant, 'POST', '/dead-letters/redrive', { endpoint_id: one.id })).body;
  await eventually(
    () => ask(tenant, 'GET', `/replays/${id}`),
    ({ body }) => body.matched === 2,
  );
  // Both are held by the receiver: one that is still on its way would be taken as soon as that behaves again.
  await eventually(
    async () => receiver.requests.filter(({ path }) => path === '/cancelled-redrive/one'),
    (held) => held.length === 2,
  );
  expect((await ask(tenant, 'DELETE', `/replays/${id}`)).status).toBe(204);
  receiver.behave((_request, response) => void response.writeHead(204).end());
  expect(await lettersOf(tenant)).toHaveLength(3);
  expect((await ask(tenant, 'GET', `/dead-letters?event_id=${eventIdOf(dead)}`)).body.data).toHaveLength(2);
});

type Run = (client: pg.PoolClient, text: string, values: unknown[]) => Promise<pg.QueryResult>;

const isCopy = (text: string) => text.includes('INSERT INTO kept_dead_letters');

/** The worker's pool, on whose connections dead letters are copied in this way. */
const poolThatCopies = (copy: Run) =>
  poolThatRuns((client, text, values) => (isCopy(text) ? copy(client, text, values) : client.query(text, values)));

/** The worker's pool, on whose connections statements are run in this way. */
function poolThatRuns(run: Run): pg.Pool {
  const { workerPool } = service.context;
  return Object.assign(Object.create(workerPool), {
    connect: async (...given: Parameters<typeof workerPool.connect>) => {
      // `pool.query` asks with a callback.
      if (given.length > 0) return workerPool.connect(...given);
      const client = await workerPool.connect();
      const query = (text: string, values: unknown[]) => run(client, text, values);
      return { query, release: (broken: boolean) => client.release(broken) };
    },
  });
}

const deaths = [
  ['in the copying', isCopy, 0],
  ['when that was committed', (text: string) => text === 'COMMIT', 3],
] as const;

test.each(deaths)(
  'a drop that was interrupted %s loses no dead letter, and copies none twice',
  async (when, isLast, copies) => {
    const { tenant, one, waiting } = await oldDay(`interrupted-${when.replaceAll(' ', '-')}`);
    let isCopied = false;
    const dying = poolThatRuns(async (client, text, values) => {
      const result = await client.query(text, values);
      isCopied ||= isCopy(text) && result.rows.length > 0;
      // It is done, but who did it never hears of it.
      if (isCopied && isLast(text)) throw new Error('planted');
      return result;
    });
    const letters = [...(await lettersOf(tenant)), deliveryIdOf(waiting, one.num)].sort();
    await expect(dropOldPartitions(dying, Date.now(), 30, 90)).rejects.toThrow('planted');
    const kept = 'SELECT count(*)::int AS n FROM kept_dead_letters WHERE tenant_num = $1';
    expect(await query(kept, [tenant.num])).toEqual([{ n: copies }]);
    expect((await lettersOf(tenant)).sort()).toEqual(letters);
    await dropInTurn(drop);
    expect(await oldPartitions()).toEqual([]);
    expect((await lettersOf(tenant)).sort()).toEqual(letters);
  },
);

test('an expunge reaches the copy: no payload is left, and there is nothing to redrive', async () => {
  const { tenant, one, dead } = await oldDay('expunged');
  await query('UPDATE events SET body = $2 WHERE id = $1', [
    dead,
    Buffer.from(`{"id":"${eventIdOf(dead)}","type":"order.created","data":{"ssn":"secret-ssn"}}`),
  ]);
  await drop();
  const id = eventIdOf(dead);
  expect((await ask(tenant, 'DELETE', `/events/${id}/payload`)).status).toBe(204);
  expect((await ask(tenant, 'DELETE', `/events/${id}/payload`)).status).toBe(204);
  expect((await ask(tenant, 'GET', `/events/${id}`)).body).toMatchObject({
    data: null,
    expunged_at: expect.any(String),
  });
  const secrets = `SELECT count(*)::int AS n FROM kept_events WHERE position('secret' IN convert_from(body, 'UTF8')) > 0`;
  expect(await query(secrets)).toEqual([{ n: 0 }]);
  expect((await ask(tenant, 'POST', `/deliveries/${deliveryIdOf(dead, one.num)}/retry`, {})).status).toBe(409);
});

test('an expunge that comes while its event is being copied waits, and takes the payload out of both', async () => {
  const { tenant, dead } = await oldDay('expunged-meanwhile');
  const copied = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  // The copy is made in a transaction that stays open until the expunge waits for it.
  const slow = poolThatCopies(async (client, text, values) => {
    const result = await client.query(text, values);
    // The first day that is dropped is empty.
    if (result.rows.length > 0) copied.resolve();
    if (result.rows.length > 0) await gate.promise;
    return result;
  });
  const dropping = dropOldPartitions(slow, Date.now(), 30, 90);
  await copied.promise;
  const expunging = ask(tenant, 'DELETE', `/events/${eventIdOf(dead)}/payload`);
  await untilBlocked('FROM events%FOR UPDATE');
  gate.resolve();
  expect((await expunging).status).toBe(204);
  await dropping;
  expect((await ask(tenant, 'GET', `/events/${eventIdOf(dead)}`)).body.data).toBeNull();
});

test('an expunge that comes while its event is brought back waits, and takes the payload out of what it has become', async () => {
  const { tenant, dead } = await oldDay('expunged-in-restore');
  await drop();
  const client = await service.context.workerPool.connect();
  try {
    await client.query('BEGIN');
    const wanted = { eventUuids: [dead], endpointNums: null, reason: null, only: null };
    const [[, restored] = []] = await restoreKept(client, tenant.num, wanted);
    const expunging = ask(tenant, 'DELETE', `/events/${eventIdOf(dead)}/payload`);
    await untilBlocked('FROM kept_events%FOR UPDATE');
    await client.query('COMMIT');
    expect((await expunging).status).toBe(204);
    const gone = `SELECT expunged_at IS NOT NULL AS gone FROM events WHERE id = $1`;
    expect(await query(gone, [restored])).toEqual([{ gone: true }]);
  } finally {
    client.release();
  }
});

test('an expunge that comes first leaves nothing to bring back', async () => {
  const { tenant, dead } = await oldDay('expunged-before-restore');
  await drop();
  const client = await service.context.workerPool.connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE kept_events SET expunged_at = now() WHERE id = $1', [dead]);
    const wanted = { eventUuids: [dead], endpointNums: null, reason: null, only: null };
    const restoring = restoreKept(service.context.apiPool, tenant.num, wanted);
    await untilBlocked('FROM kept_events v');
    await client.query('COMMIT');
    expect(await restoring).toEqual(new Map());
  } finally {
    client.release();
  }
});

test('G1: an id that Posthorn gave to an event which is kept for its dead letters is no other event’s', async () => {
  const { tenant, dead } = await oldDay('kept-ids');
  await drop();
  const event = { id: eventIdOf(dead), type: 'order.created', tenant_id: tenant.id, data: { another: true } };
  expect(await call(service.baseUrl, 'POST', '/v1/events', event)).toMatchObject({ status: 409 });
  // As a version that did not look may have left it.
  const another = Buffer.from(JSON.stringify(event));
  await query(`INSERT INTO events (id, tenant_num, type, external_id, body) VALUES ($1, $2, 'order.created', $3, $4)`, [
    newUuid(Date.now()),
    tenant.num,
    event.id,
    another,
  ]);
  expect((await ask(tenant, 'DELETE', `/events/${event.id}/payload`)).status).toBe(204);
  const left = `SELECT 1 FROM events WHERE tenant_num = $1 AND expunged_at IS NULL
                 UNION ALL SELECT 1 FROM kept_events WHERE tenant_num = $1 AND expunged_at IS NULL AND id = $2`;
  expect(await query(left, [tenant.num, dead])).toEqual([]);
});

test('dead letters go when their own retention ends, with their events', async () => {
  const { tenant } = await oldDay('forgotten');
  await drop();
  expect(await forgetDeadLetters(service.context.workerPool, uuidFloor(OLD_MS - DAY_MS))).toBe(0);
  expect(await lettersOf(tenant)).toHaveLength(3);
  expect(await forgetDeadLetters(service.context.workerPool, uuidFloor(OLD_MS + DAY_MS))).toBeGreaterThanOrEqual(3);
  expect(await lettersOf(tenant)).toEqual([]);
  expect(await query('SELECT (SELECT count(*)::int FROM kept_events) AS n')).toEqual([{ n: 0 }]);
});

test('no copy is made of what is not to be kept for longer than the rest', async () => {
  const { tenant } = await oldDay('not-kept');
  await dropOldPartitions(service.context.workerPool, Date.now(), 30, 30);
  expect(await oldPartitions()).toEqual([]);
  expect(await lettersOf(tenant)).toEqual([]);
  expect(await query('SELECT id FROM kept_events WHERE tenant_num = $1', [tenant.num])).toEqual([]);
});

test('a purge after the day was dropped takes the copies, payload and all, with a line in the audit log', async () => {
  const { tenant, one, two } = await oldDay('purged-late');
  await drop();
  const purge = (body: object) => ask(tenant, 'POST', '/dead-letters/purge', body);
  expect((await purge({ endpoint_id: one.id })).body).toEqual({ purged: 2, complete: true, next: null });
  const left = await query('SELECT endpoint_num FROM kept_dead_letters WHERE tenant_num = $1', [tenant.num]);
  expect(left).toEqual([{ endpoint_num: two.num }]);
  expect((await purge({ all: true })).body).toEqual({ purged: 1, complete: true, next: null });
  expect(await query('SELECT id FROM kept_events WHERE tenant_num = $1', [tenant.num])).toEqual([]);
  const lines = await query(
    `SELECT after->'purged' AS n FROM audit_log WHERE tenant_num = $1 AND action = 'dead_letters.purged' ORDER BY id`,
    [tenant.num],
  );
  expect(lines.map(({ n }) => n)).toEqual([1, 2, 1]);
});

test('a dead letter that is kept and cannot be brought back is refused a retry for the reason that there is', async () => {
  const { tenant, one, two, dead } = await oldDay('refused-late');
  await drop();
  const retry = (num: number) => ask(tenant, 'POST', `/deliveries/${deliveryIdOf(dead, num)}/retry`);
  await query('UPDATE endpoints SET deleted_at = now() WHERE num = $1', [two.num]);
  expect(await retry(two.num)).toMatchObject({ status: 409, body: { code: 'endpoint_deleted' } });
  expect((await ask(tenant, 'DELETE', `/events/${eventIdOf(dead)}/payload`)).status).toBe(204);
  expect(await retry(one.num)).toMatchObject({ status: 409, body: { code: 'payload_expunged' } });
  expect(await retry((await makeEndpoint(service, tenant)).num)).toMatchObject({ status: 404 });
});
