import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { laneOf } from '../../src/routing/lane-of.ts';
import { type Announcement, foldNotices } from '../../src/store/announcements.ts';
import { NOTICE_CODES } from '../../src/store/codes.ts';
import { inTransaction } from '../../src/store/in-transaction.ts';
import { acquireLanes, releaseLanes } from '../../src/store/lanes.ts';
import { appendNotices } from '../../src/store/notices.ts';
import { settle } from '../../src/store/settle.ts';
import { type AnnouncementStore, Announcer, type AnnouncerOptions } from '../../src/workers/announcer.ts';
import { announcementStore } from '../../src/workers/announcer-service.ts';
import { call } from '../support/api.ts';
import { makeEndpoint, makeTenant, type TestEndpoint, type TestTenant } from '../support/log-fixture.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { startReceiver } from '../support/receiver.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;
let endpoint: TestEndpoint;
let subscriber: TestEndpoint;
let told: (Announcement & { events: number })[];

beforeEach(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  endpoint = await makeEndpoint(service, tenant);
  subscriber = await makeEndpoint(service, tenant, { subscriptions: [{ types: ['system.**'] }] });
  told = [];
});

afterEach(() => service.stop());

function announcer(store: Partial<AnnouncementStore> = {}, options: Partial<AnnouncerOptions> = {}): Announcer {
  const { context } = service;
  return new Announcer({
    store: { ...announcementStore(context.workerPool), ...store },
    submit: (unit) => context.commits.submit(unit),
    nowMs: () => context.clock.nowMs(),
    onAnnounced: (announcement, events) => void told.push({ ...announcement, events }),
    ...options,
  });
}

const query = async (text: string, values: unknown[] = []) => (await service.context.apiPool.query(text, values)).rows;

/** Notices that endpoints were throttled, written as a storm would. */
async function throttle(count: number, endpointNum = endpoint.num): Promise<void> {
  await query(
    `INSERT INTO system_notices (tenant_num, endpoint_num, kind, detail)
     SELECT $1, $2, ${NOTICE_CODES['endpoint.throttled']}, jsonb_build_object('status', 429) FROM generate_series(1, $3)`,
    [tenant.num, endpointNum, count],
  );
}

/** `data` of a tenant's system events, oldest first. */
async function dataOfEvents(of = tenant) {
  const rows = await query(
    `SELECT convert_from(body, 'UTF8')::jsonb AS body FROM events WHERE tenant_num = $1 AND type LIKE 'system.%' ORDER BY id`,
    [of.num],
  );
  return rows.map(({ body }) => body.data);
}

/** How many facts the events tell of. */
const factsIn = (events: readonly { count?: number }[]) => events.reduce((sum, { count = 1 }) => sum + count, 0);

/** Lets the time pass that a window lasts, or a lease. */
const passWindow = () =>
  query(`UPDATE announcements SET due_at = now() - interval '1 ms', window_ends_at = now() - interval '1 ms'`);
const passLease = () => query(`UPDATE announcements SET leased_until = '-infinity'`);

test('a storm of 10,000 dead letters gives few events, which tell of each of them once', async () => {
  const { context } = service;
  const lane = laneOf(endpoint.num, TEST_LANES);
  const uuids = Array.from({ length: 10_000 }, () => newUuid(Date.now()));
  // The last ten were cancelled meanwhile: that they are settled counts for nothing, and nothing is told of them.
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT id, now() + interval '1 hour', $2, $3, $4 FROM unnest($1::uuid[]) id`,
    [uuids.slice(0, -10), endpoint.num, tenant.num, lane],
  );
  const leases = await acquireLanes(context.workerPool, 'test', [lane]);
  // However long all of them take to settle.
  await query(`UPDATE lanes SET leased_until = now() + interval '1 hour' WHERE owner = 'test'`);
  const receiver = await startReceiver();
  await call(service.baseUrl, 'PATCH', `/v1/tenants/acme/endpoints/${subscriber.id}`, { url: receiver.url });
  const worker = await startTestService({ databaseUrl: service.databaseUrl, worker: true });
  try {
    for (let start = 0; start < uuids.length; start += 500) {
      await settle(context.workerPool, leases, uuids.slice(start, start + 500).map(deadLetter));
    }
    await releaseLanes(context.workerPool, 'test', leases);
    await vi.waitFor(
      async () => {
        await passWindow();
        expect(factsIn(receiver.requests.map(({ body }) => JSON.parse(body.toString()).data))).toBe(9_990);
      },
      { timeout: PATIENCE_MS, interval: 500 },
    );
    expect(receiver.requests.length).toBeLessThan(80);
  } finally {
    await worker.stop();
    await receiver.close();
  }
});

function deadLetter(eventUuid: string) {
  return {
    eventUuid,
    endpointNum: endpoint.num,
    tenantNum: tenant.num,
    lane: laneOf(endpoint.num, TEST_LANES),
    attempt: 1,
    isReplay: false,
    startedAtMs: Date.now(),
    outcome: { kind: 'unreachable', reason: 'refused', detail: 'refused', timing: NO_TIMING },
    decision: { kind: 'dead_letter' },
    notice: 'delivery.dead_lettered',
    mayPauseKey: false,
  } as const;
}

const NO_TIMING = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };

test('what a former owner of a lane settles is told of by nobody, and what the new one settles once', async () => {
  const { workerPool } = service.context;
  const uuid = newUuid(Date.now());
  const lane = laneOf(endpoint.num, TEST_LANES);
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() + interval '1 hour', $2, $3, $4)`,
    [uuid, endpoint.num, tenant.num, lane],
  );
  const former = await acquireLanes(workerPool, 'former', [lane]);
  await releaseLanes(workerPool, 'former', former);
  const leases = await acquireLanes(workerPool, 'test', [lane]);
  await settle(workerPool, former, [deadLetter(uuid)]);
  expect(await query('SELECT 1 FROM system_notices')).toEqual([]);
  await settle(workerPool, leases, [deadLetter(uuid)]);
  await settle(workerPool, leases, [deadLetter(uuid)]);
  expect(await query('SELECT 1 FROM system_notices')).toHaveLength(1);
});

test('up to five notices of an endpoint and kind are events of their own; what comes on top within ten seconds becomes one', async () => {
  const announce = announcer();
  await throttle(3);
  await announce.runOnce();
  await throttle(2);
  await announce.runOnce();
  expect(await dataOfEvents()).toHaveLength(5);
  for (let i = 0; i < 3; i++) {
    await throttle(4);
    await announce.runOnce();
  }
  expect(await dataOfEvents()).toHaveLength(5);
  await passWindow();
  await announce.runOnce();
  const events = await dataOfEvents();
  expect(events).toHaveLength(6);
  expect(events[5]).toMatchObject({ count: 12, examples: Array(5).fill({ status: 429, at: expect.any(String) }) });
});

test('what is folded is due to whoever claims right behind, and its window over, in whichever part of a millisecond', async () => {
  for (let i = 0; i < 30; i++) {
    const folded = await inTransaction(service.context.workerPool, async (client) => {
      const fold = async () => {
        await throttle(1);
        await foldNotices(client, 10);
        return (
          await client.query('SELECT count, due_at <= now() AS due, window_ends_at <= now() AS over FROM announcements')
        ).rows;
      };
      return [...(await fold()), ...(await fold())];
    });
    expect(folded).toEqual([1, 2].map((count) => ({ count, due: true, over: true })));
    await query('DELETE FROM announcements');
  }
});

test('one storm does not hold up the news of another endpoint or of another kind', async () => {
  const announce = announcer();
  const other = await makeEndpoint(service, tenant);
  await throttle(100);
  await announce.runOnce();
  await throttle(100);
  await throttle(1, other.num);
  const place = { tenantNum: tenant.num, endpointNum: endpoint.num };
  await appendNotices(service.context.apiPool, [{ kind: 'endpoint.disabled', ...place, detail: {} }]);
  await announce.runOnce();
  const events = (await dataOfEvents()).map(({ endpoint: { id }, count }) => `${id} ${count ?? 'single'}`);
  expect(events.sort()).toEqual([`${endpoint.id} 100`, `${endpoint.id} single`, `${other.id} single`].sort());
});

test('a backlog of 100,000 notices is read in parts, and told of whole', async () => {
  const folds: number[] = [];
  const store = announcementStore(service.context.workerPool);
  const announce = announcer({
    fold: async (limit) => {
      const count = await store.fold(limit);
      folds.push(count);
      return count;
    },
  });
  await throttle(99_990);
  await throttle(10, subscriber.num);
  await announce.runOnce();
  expect(Math.max(...folds)).toBeLessThanOrEqual(10_000);
  // The subscriber is not told of itself.
  expect((await dataOfEvents()).map(({ count }) => count)).toEqual([99_990]);
  expect(told.map(({ count, events }) => [count, events]).sort()).toEqual([
    [10, 0],
    [99_990, 1],
  ]);
});

/** Endpoints of a tenant whose breakers opened just now, as a host that went down would have it. @returns their ids, in that order */
async function openBreakers(count: number, of = tenant, subscriptions: object[] = []): Promise<string[]> {
  const made = await query(
    `INSERT INTO endpoints (id, tenant_num, url, subscriptions) SELECT 'ep_storm_' || gen_random_uuid(), $1, 'http://127.0.0.1:9/', $3
       FROM generate_series(1, $2) RETURNING num, id`,
    [of.num, count, JSON.stringify(subscriptions)],
  );
  await query(
    `INSERT INTO system_notices (tenant_num, endpoint_num, kind, detail)
     SELECT $1, num, ${NOTICE_CODES['endpoint.breaker_opened']}, '{"reason": "Ten attempts in a row failed."}' FROM unnest($2::int[]) num ORDER BY num`,
    [of.num, made.map(({ num }) => num)],
  );
  return made.sort((a, b) => a.num - b.num).map(({ id }) => id);
}

const passTenantWindow = () =>
  query(
    `WITH windows AS (UPDATE announcement_windows SET ends_at = now() - interval '1 ms') UPDATE announcements SET due_at = now() - interval '1 ms'`,
  );

test('breakers of 5,000 endpoints that open at once are told of by one event, which says how many, and names the first hundred', async () => {
  const ids = await openBreakers(5_000);
  await announcer().runOnce();
  const [data, ...more] = await dataOfEvents();
  expect(more).toEqual([]);
  expect(data).toMatchObject({ endpoint_count: 5_000, count: 5_000, endpoint_ids: ids.slice(0, 100) });
  expect(data.examples.map(({ endpoint: { id } }: { endpoint: { id: string } }) => id)).toEqual(ids.slice(0, 5));
  expect(data.examples[0]).toMatchObject({ reason: 'Ten attempts in a row failed.' });
});

test('G7: storms of two tenants at the same time are told of apart, and to neither is anything said of the other', async () => {
  const other = await makeTenant(service, 'other');
  await makeEndpoint(service, other, { subscriptions: [{ types: ['system.**'] }] });
  const [ours, theirs] = [await openBreakers(30), await openBreakers(40, other)];
  await announcer().runOnce();
  for (const [of, ids] of [
    [tenant, ours],
    [other, theirs],
  ] as const) {
    const events = await dataOfEvents(of);
    expect(events).toMatchObject([{ endpoint_count: ids.length, count: ids.length, endpoint_ids: ids }]);
    expect(events[0].examples.map(({ endpoint: { id } }: { endpoint: { id: string } }) => id)).toEqual(ids.slice(0, 5));
  }
});

test('the first twenty endpoints of a storm are told of one by one, those on top of them together at the end of the window', async () => {
  const announce = announcer();
  const first = await openBreakers(20);
  await announce.runOnce();
  expect((await dataOfEvents()).map(({ endpoint: { id } }) => id).sort()).toEqual([...first].sort());
  for (let i = 0; i < 3; i++) {
    await openBreakers(30);
    await announce.runOnce();
  }
  // Other news of the tenant, and that of others, is told meanwhile.
  await throttle(1);
  const other = await makeTenant(service, 'other');
  await makeEndpoint(service, other, { subscriptions: [{ types: ['system.**'] }] });
  await openBreakers(20, other);
  await announce.runOnce();
  expect(await dataOfEvents()).toHaveLength(21);
  expect(await query(`SELECT 1 FROM events WHERE tenant_num = $1`, [other.num])).toHaveLength(20);
  await passTenantWindow();
  await announce.runOnce();
  const events = await dataOfEvents();
  expect(events).toHaveLength(22);
  expect(events[21]).toMatchObject({ endpoint_count: 90, count: 90 });
  expect(await query('SELECT 1 FROM announcements WHERE count > 0 UNION ALL SELECT 1 FROM wide_announcements')).toEqual(
    [],
  );
});

test('many endpoints with much news each are all told of: every notice is in one event', async () => {
  await openBreakers(300);
  const kind = NOTICE_CODES['endpoint.breaker_opened'];
  const again = () =>
    query(
      `INSERT INTO system_notices (tenant_num, endpoint_num, kind) SELECT tenant_num, num, ${kind} FROM endpoints WHERE id LIKE 'ep_storm_%'`,
    );
  const crowd = Array.from({ length: 4 }, () => announcer());
  for (let i = 0; i < 5; i++) {
    await Promise.all([...crowd.map((each) => each.runOnce()), again()]);
    await passTenantWindow();
  }
  await crowd[0]!.runOnce();
  const events = await dataOfEvents();
  expect(factsIn(events)).toBe(6 * 300);
  expect(events.length).toBeLessThan(20);
});

test('the endpoint for alarms hears of all the others while its own breaker is open too, and no endpoint of itself', async () => {
  const alarmed = await openBreakers(30, tenant, [{ types: ['system.**'] }]);
  await openBreakers(1_000);
  const { workerPool } = service.context;
  const own = {
    kind: 'endpoint.breaker_opened',
    tenantNum: tenant.num,
    endpointNum: subscriber.num,
    detail: {},
  } as const;
  await appendNotices(workerPool, [own]);
  await announcer().runOnce();
  const deliveries = await query(
    `SELECT p.id, (convert_from(e.body, 'UTF8')::jsonb)->'data'->>'endpoint_count' AS about
       FROM mailbox m JOIN endpoints p ON p.num = m.endpoint_num JOIN events e ON e.id = m.event_id WHERE m.tenant_num = $1`,
    [tenant.num],
  );
  // What is told of the thirty and itself would go to none but those.
  const everyone = [...alarmed, subscriber.id].map((id) => ({ id, about: '1000' }));
  expect(deliveries.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(everyone.sort((a, b) => (a.id < b.id ? -1 : 1)));
});

test('an announcer that dies while it tells of many endpoints leaves the same event to be told, once', async () => {
  const ids = await openBreakers(50);
  const dying = announcer({ end: () => Promise.reject(new Error('killed')) });
  await expect(dying.runOnce()).rejects.toThrow('killed');
  const deaf = announcer({}, { submit: () => Promise.reject(new Error('overloaded')) });
  await openBreakers(40);
  await passTenantWindow();
  await expect(deaf.runOnce()).rejects.toThrow('overloaded');
  await query(`UPDATE wide_announcements SET leased_until = '-infinity'`);
  await announcer().runOnce();
  const events = await dataOfEvents();
  expect(events.map(({ endpoint_count }) => endpoint_count)).toEqual([50, 40]);
  expect(events[0].endpoint_ids).toEqual(ids);
});

test('few endpoints of each of many tenants are told of one by one, a bounded number at a time', async () => {
  const claims: number[] = [];
  const store = announcementStore(service.context.workerPool);
  const claim = async (limit: number) => {
    const claimed = await store.claim(limit);
    claims.push(claimed.length);
    return claimed;
  };
  for (let i = 0; i < 20; i++) {
    const each = await makeTenant(service, `tenant_${i}`);
    await makeEndpoint(service, each, { subscriptions: [{ types: ['system.**'] }] });
    await openBreakers(17, each);
  }
  await announcer({ claim }).runOnce();
  expect(await query(`SELECT 1 FROM events WHERE type LIKE 'system.%'`)).toHaveLength(340);
  expect(claims).toEqual([100, 100, 100, 40, 0]);
});

test('an announcer that dies between the commit of its events and the end of the announcement tells nothing twice', async () => {
  const dying = announcer({ end: () => Promise.reject(new Error('killed')) });
  await throttle(3);
  await throttle(7, subscriber.num);
  await expect(dying.runOnce()).rejects.toThrow('killed');
  expect(await dataOfEvents()).toHaveLength(3);
  // More of the same comes meanwhile, and what was told of the endpoint would be told differently today.
  await throttle(2);
  await query(`UPDATE endpoints SET description = 'changed' WHERE num = $1`, [endpoint.num]);
  await passLease();
  await announcer().runOnce();
  expect(await dataOfEvents()).toHaveLength(5);
  await passLease();
  await announcer().runOnce();
  expect(factsIn(await dataOfEvents())).toBe(5);
  expect(await query('SELECT 1 FROM announcements WHERE count > 0')).toEqual([]);
});

test('while ingest takes nothing notices wait, and they are told of once it does', async () => {
  const refused = announcer({}, { submit: () => Promise.reject(new Error('overloaded')) });
  await throttle(7);
  await expect(refused.runOnce()).rejects.toThrow('overloaded');
  expect(await dataOfEvents()).toEqual([]);
  await announcer().runOnce();
  expect(await dataOfEvents()).toEqual([]);
  await passLease();
  await announcer().runOnce();
  expect((await dataOfEvents()).map(({ count }) => count)).toEqual([7]);
});

test('announcers of several processes at one backlog tell of each notice once', async () => {
  await throttle(25_000);
  const crowd = Array.from({ length: 4 }, () => announcer());
  for (let i = 0; i < 5; i++) {
    await Promise.all([...crowd.map((each) => each.runOnce()), throttle(10), throttle(1, subscriber.num)]);
    await passWindow();
  }
  await crowd[0]!.runOnce();
  expect(factsIn(await dataOfEvents())).toBe(25_050);
});

test('a subscription that was made a moment ago, through another process, hears of what happens next', async () => {
  const late = await makeTenant(service, 'late');
  const quiet = await makeEndpoint(service, late);
  tenant = late;
  endpoint = quiet;
  const announce = announcer();
  await throttle(1);
  await announce.runOnce();
  expect(told.map(({ events }) => events)).toEqual([0]);
  const other = await startTestService({ databaseUrl: service.databaseUrl });
  try {
    await makeEndpoint(other, late, { subscriptions: [{ types: ['system.endpoint.throttled'] }] });
  } finally {
    await other.stop();
  }
  await throttle(1);
  await announce.runOnce();
  expect(await dataOfEvents()).toHaveLength(1);
  expect(await query('SELECT 1 FROM mailbox WHERE tenant_num = $1', [late.num])).toHaveLength(1);
});
