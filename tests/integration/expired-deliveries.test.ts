import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../../src/domain/ids.ts';
import { laneOf } from '../../src/routing/lane-of.ts';
import { keepDeadLetters } from '../../src/store/copy-dead-letters.ts';
import { forgetDelivered } from '../../src/store/forget-delivered.ts';
import { endDeliveriesOfDroppedDays } from '../../src/store/give-up.ts';
import { acquireLanes } from '../../src/store/lanes.ts';
import { ensurePartitions, listPartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { call } from '../support/api.ts';
import { dropInTurn } from '../support/drop-in-turn.ts';
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
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';
import { dayOf } from '../support/written-days.ts';

const DAY_MS = 86_400_000;
const OLD_MS = Date.now() - 40 * DAY_MS;
const DAY = dayOf(OLD_MS);

let service: TestService;
let pool: pg.Pool;

beforeAll(async () => {
  service = await startTestService();
  pool = service.context.workerPool;
});

afterAll(() => service.stop());

const query = async (text: string, values: unknown[] = []) => (await pool.query(text, values)).rows;
const drop = (through = pool) => dropOldPartitions(through, Date.now(), 30, 90);
const oldUuid = (ms = OLD_MS) => uuidAt(ms);
const oldDays = async () => (await listPartitions(pool)).filter(({ dayMs }) => dayMs < Date.now() - 35 * DAY_MS);

/** A tenant with a day of forty days ago. */
async function stage(id: string) {
  await ensurePartitions(pool, OLD_MS, 0);
  const tenant = await makeTenant(service, id);
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/${id}${path}`, body)).body;
  const place = (event: string, endpoint: TestEndpoint, seq: number, ...set: string[]) =>
    query(
      `UPDATE mailbox SET ${['order_key = 0', 'seq = $3', ...set].join(', ')} WHERE event_id = $1 AND endpoint_num = $2`,
      [event, endpoint.num, seq],
    );
  return {
    tenant,
    ask,
    place,
    endpoint: (settings = {}) => makeEndpoint(service, tenant, settings),
    log: (type?: string, ms?: number) => logEvent(service, tenant, type, oldUuid(ms)),
    wait: (event: string, endpoint: TestEndpoint, attempt = 0) => logWaiting(service, tenant, event, endpoint, attempt),
    attempt: (...[event, endpoint, ...rest]: [string, TestEndpoint, ...Tail]) =>
      logAttempt(service, tenant, event, endpoint, ...rest),
    letters: async (filter = ''): Promise<[string, string][]> =>
      (await ask('GET', `/dead-letters?limit=250${filter}`)).data
        .map((letter: { delivery_id: string; reason: string }) => [letter.delivery_id, letter.reason])
        .sort(),
    pauses: (endpoint: TestEndpoint) =>
      query('SELECT event_id, seq::int FROM paused_keys WHERE endpoint_num = $1', [endpoint.num]),
  };
}

type Tail = [
  attempt: number,
  ...end: Parameters<typeof logAttempt> extends [...unknown[], infer O, infer D] ? [O, D] : never,
];

const letterOf = (event: string, endpoint: TestEndpoint, reason = 'expired') => [
  deliveryIdOf(event, endpoint.num),
  reason,
];

test('G2: what still waits when its day is dropped is a dead letter that expired, tried before or never, and can be redriven', async () => {
  const { ask, endpoint, log, wait, attempt, letters } = await stage('expired');
  const disabled = await endpoint({ enabled: false });
  const [never, tried] = [await log(), await log()];
  await wait(never, disabled);
  await attempt(tried, disabled, 1, 'timeout', 'retry');
  await wait(tried, disabled, 1);
  await drop();
  expect(await oldDays()).toEqual([]);
  expect(await query('SELECT FROM mailbox WHERE endpoint_num = $1', [disabled.num])).toEqual([]);
  expect(await letters()).toEqual([letterOf(never, disabled), letterOf(tried, disabled)].sort());
  expect(await letters('&reason=expired')).toHaveLength(2);
  expect(await letters('&reason=timeout')).toEqual([]);
  const path = (event: string) => `/dead-letters/${deliveryIdOf(event, disabled.num)}`;
  expect(await ask('GET', path(never))).toMatchObject({
    reason: 'expired',
    attempts: 0,
    last_attempt: { number: 2, outcome: 'skipped', status: null, detail: 'expired' },
  });
  expect(await ask('GET', path(tried))).toMatchObject({ reason: 'expired', attempts: 1, last_attempt: { number: 3 } });
  expect(await ask('GET', '/dead-letters/stats')).toMatchObject({ total: 2, by_reason: { expired: 2 } });
  const again = await ask('POST', `/deliveries/${deliveryIdOf(never, disabled.num)}/retry`, {});
  expect(again).toMatchObject({ event_id: eventIdOf(never), status: 'retrying' });
  expect(await letters()).toEqual([letterOf(tried, disabled)]);
});

test('the tenant is told of deliveries that expire, but not of those of system events', async () => {
  const { endpoint, log, wait } = await stage('told');
  const one = await endpoint();
  const [told, untold] = [await log(), await log('system.endpoint.disabled')];
  await wait(told, one);
  await wait(untold, one);
  await drop();
  expect(await query('SELECT event_id, attempt, kind FROM system_notices WHERE endpoint_num = $1', [one.num])).toEqual([
    { event_id: told, attempt: 2, kind: 12 },
  ]);
});

test('deliveries that expire are counted for each endpoint, also where the drop fails after that', async () => {
  const { tenant, endpoint, log, wait } = await stage('counted');
  const [one, two] = [await endpoint(), await endpoint()];
  for (const event of [await log(), await log()]) await wait(event, one);
  await wait(await log(), two);
  const failing = through(async (text, run) => {
    if (text.includes('DETACH')) throw new Error('planted');
    return run();
  });
  const told: unknown[] = [];
  const options = { onExpired: (expired: readonly unknown[]) => void told.push(...expired) };
  await expect(dropOldPartitions(failing, Date.now(), 30, 90, options)).rejects.toThrow('planted');
  expect(told).toEqual([
    { tenantId: tenant.id, endpointId: one.id, count: 2 },
    { tenantId: tenant.id, endpointId: two.id, count: 1 },
  ]);
  told.length = 0;
  await dropAfterFailure(options);
  expect(told).toEqual([]);
});

type Run = (
  text: string,
  go: () => Promise<pg.QueryResult>,
  client: pg.PoolClient,
  values?: unknown[],
) => Promise<unknown>;

/** The worker's pool, on whose connections statements are run in this way. */
function through(run: Run): pg.Pool {
  return Object.assign(Object.create(pool), {
    connect: async (...given: Parameters<typeof pool.connect>) => {
      // `pool.query` asks with a callback.
      if (given.length > 0) return pool.connect(...given);
      const client = await pool.connect();
      const told = (query: string | { text: string }, values?: unknown[]) =>
        run(
          typeof query === 'string' ? query : query.text,
          () => client.query(query as string, values),
          client,
          values,
        );
      return { query: told, release: (broken: boolean) => client.release(broken) };
    },
  });
}

async function dropAfterFailure(options = {}): Promise<void> {
  await dropInTurn(() => dropOldPartitions(pool, Date.now(), 30, 90, options));
  expect(await oldDays()).toEqual([]);
}

test('G2: a drop that dies after any of its statements leaves each delivery that expired exactly one dead letter', async () => {
  const { tenant, endpoint, log, wait, letters } = await stage('dies');
  const [one, two] = [await endpoint(), await endpoint()];
  const all: unknown[] = [];
  for (let dies = 1, isOver = false; !isOver; dies++) {
    await ensurePartitions(pool, OLD_MS, 0);
    const events = [await log(), await log()];
    for (const event of events) await wait(event, one);
    await query('INSERT INTO expansions (event_id, tenant_num, endpoints, size) VALUES ($1, $2, $3, 1)', [
      events[0],
      tenant.num,
      [two.num],
    ]);
    let statements = 0;
    const dying = through(async (_text, run) => {
      const result = await run();
      // It is done, but nobody hears of it.
      if (++statements === dies) throw new Error('planted');
      return result;
    });
    // The one before may have died after the last day was gone, and then nobody has waited for its lock yet.
    const dieAlone = () => {
      statements = 0;
      return drop(dying);
    };
    isOver = await dropInTurn(dieAlone).then(
      () => true,
      (error: Error) => error.message !== 'planted' && Promise.reject(error),
    );
    await dropAfterFailure();
    all.push(...events.map((event) => letterOf(event, one)), letterOf(events[0]!, two));
    expect([dies, await letters()]).toEqual([dies, all.sort()]);
    const told = await query('SELECT count(*)::int AS n FROM system_notices WHERE tenant_num = $1', [tenant.num]);
    expect([dies, told]).toEqual([dies, [{ n: all.length }]]);
  }
});

/** Events of an old day, each waiting for the endpoint. */
async function logMany(tenant: TestTenant, endpoint: TestEndpoint, events: number): Promise<void> {
  await query(
    `WITH made AS (SELECT ($1 || lpad(to_hex(n), 8, '0'))::uuid AS id FROM generate_series(1, $4::int) AS n),
     stored AS (INSERT INTO events (id, tenant_num, type, body) SELECT id, $2, 'a.b', '\\x7b7d' FROM made)
     INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) SELECT id, 'infinity', $3, $2, 0 FROM made`,
    [oldUuid().slice(0, 28), tenant.num, endpoint.num, events],
  );
}

test('G2: however many expire, they are ended some at a time, and all of them', async () => {
  const { tenant, endpoint } = await stage('many');
  await logMany(tenant, await endpoint({ enabled: false }), 2_500);
  const ended: number[] = [];
  const counting = through(async (text, run) => {
    const count = async () => (await query('SELECT count(*)::int AS n FROM mailbox'))[0].n;
    if (!text.includes('DELETE FROM mailbox')) return run();
    const before = await count();
    const result = await run();
    ended.push(before - (await count()));
    return result;
  });
  await drop(counting);
  expect(ended.filter((count) => count > 0)).toEqual([1_000, 1_000, 500]);
  expect(await query('SELECT count(*)::int AS n FROM kept_dead_letters WHERE tenant_num = $1', [tenant.num])).toEqual([
    { n: 2_500 },
  ]);
});

test('the copying of a day looks at each of its dead letters some times, however many there are, and whatever statistics say', async () => {
  const { tenant, endpoint } = await stage('copied');
  const letters = 5_000;
  const one = await endpoint();
  await query(`ALTER TABLE "${DAY}" SET (autovacuum_enabled = false)`);
  await query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision)
     SELECT ($1 || lpad(to_hex(n), 8, '0'))::uuid, now(), $2, $3, 1, 0, 1 FROM generate_series(1, 3000) AS n`,
    [oldUuid().slice(0, 28), one.num, tenant.num],
  );
  await query(`ANALYZE "${DAY}"`);
  await logMany(tenant, one, letters);
  let looks = 0;
  const looking = through(async (text, run, client) => {
    if (!text.includes('DETACH PARTITION') || !text.includes(DAY)) return run();
    // In the transaction that has copied them. What is found by an index is counted by that.
    const { rows } = await client.query(
      `SELECT sum(pg_stat_get_xact_tuples_fetched(r))::int AS looks
         FROM (SELECT '${DAY}'::regclass AS r UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = '${DAY}'::regclass) day`,
    );
    looks = rows[0].looks;
    return run();
  });
  await drop(looking);
  expect(looks).toBeGreaterThanOrEqual(letters);
  expect(looks).toBeLessThan(10 * letters);
});

/** Fails as where Postgres ended what the connection does in a transaction for the time that it took. */
async function takesTooLong(client: pg.PoolClient): Promise<never> {
  await client.query('SET LOCAL statement_timeout = 1');
  await client.query('SELECT pg_sleep(60)');
  throw new Error('It took no time.');
}

test('a day whose dead letters take too long to move at one moment is detached beside its readers, and keeps them', async () => {
  const { endpoint, log, wait, letters } = await stage('slow-move');
  const [event, one] = [await log(), await endpoint()];
  await wait(event, one);
  const texts: string[] = [];
  const slow = through(async (text, run, client) => {
    texts.push(text);
    const isMoved = texts.some((each) => each.includes('CONCURRENTLY'));
    return text.includes('INSERT INTO kept_dead_letters') && !isMoved ? takesTooLong(client) : run();
  });
  await drop(slow);
  expect(texts.filter((text) => /attempts_p.*CONCURRENTLY/.test(text))).not.toEqual([]);
  expect([await letters(), await oldDays()]).toEqual([[letterOf(event, one)], []]);
});

test('others that are in the way of the copying of a detached day do not end the drop, and where it takes too long less is copied at once', async () => {
  const { tenant, endpoint, letters } = await stage('in-the-way');
  await logMany(tenant, await endpoint(), 120);
  const errors = ['40P01', '55P03', '57014', '57014'];
  const most: unknown[] = [];
  const slow = through(async (text, run, client, values) => {
    const fail = (code: string) => client.query(`DO $$ BEGIN RAISE SQLSTATE '${code}'; END $$`);
    // Somebody reads it: it cannot be moved at one moment.
    if (text.includes('LOCK TABLE')) await fail('55P03');
    if (!text.includes('INSERT INTO kept_dead_letters')) return run();
    most.push(values?.at(-1));
    const code = errors.shift();
    if (code !== undefined) await fail(code);
    return run();
  });
  await drop(slow);
  expect(most.slice(0, 5)).toEqual([100, 100, 100, 50, 25]);
  expect([(await letters()).length, await oldDays()]).toEqual([120, []]);
});

test('an event stays while a dead letter of it is being copied, though its only other one is delivered meanwhile', async () => {
  const { tenant, endpoint, log, attempt, letters } = await stage('other-letter');
  const [event, one, two] = [await log(), await endpoint(), await endpoint()];
  await attempt(event, two, 1, 'tls', 'deadLetter');
  // As by a part that was copied before.
  await query(
    `WITH kept AS (INSERT INTO kept_events (id, tenant_num, type, body) SELECT id, tenant_num, type, body FROM events WHERE id = $1)
     INSERT INTO kept_dead_letters (event_id, endpoint_num, tenant_num, requests, attempt, started_at, outcome) VALUES ($1, $2, $3, 1, 1, now(), 3)`,
    [event, one.num, tenant.num],
  );
  const delivered: SettledAttempt = {
    ...TAKEN,
    ...{ eventUuid: event, endpointNum: one.num, tenantNum: tenant.num, lane: 0, attempt: 2, isReplay: false },
    ...{ startedAtMs: Date.now(), notice: null, mayPauseKey: false },
  };
  let forgetting: Promise<void> | null = null;
  const slow = through(async (text, run) => {
    if (!text.includes('DETACH PARTITION') || !text.includes(DAY) || forgetting !== null) return run();
    // The copy is made, and not to be seen yet.
    forgetting = forgetDelivered(pool, [delivered]);
    await Promise.race([forgetting, untilWaiting('FROM kept_events%FOR UPDATE')]);
    return run();
  });
  await drop(slow);
  await forgetting;
  expect(forgetting).not.toBeNull();
  expect(await letters()).toEqual([letterOf(event, two, 'tls')]);
});

const untilWaiting = (part: string) =>
  eventually(
    () =>
      query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${part}%`],
      ),
    (found) => found.length === 1,
  );

test('a dead letter that is retried all the while keeps no day', async () => {
  const { endpoint, log, wait, attempt, letters } = await stage('retried-again');
  const [event, one] = [await log(), await endpoint()];
  await attempt(event, one, 1, 'tls', 'deadLetter');
  await wait(event, one, 1);
  let retries = 0;
  let isDetached = false;
  const slow = through(async (text, run) => {
    isDetached ||= text.includes('DETACH');
    const result = await run();
    if (text.includes('DELETE FROM mailbox') && !isDetached && retries < 50) {
      retries++;
      await wait(event, one, 1);
    }
    return result;
  });
  await drop(slow);
  expect(retries).toBe(1);
  expect([await letters(), await oldDays()]).toEqual([[letterOf(event, one, 'tls')], []]);
  expect(await query('SELECT FROM mailbox WHERE endpoint_num = $1', [one.num])).toEqual([]);
});

test('however many are queued meanwhile that expire, the drop comes to its end', async () => {
  const { endpoint, log, wait, letters } = await stage('queued-again');
  const one = await endpoint();
  await wait(await log(), one);
  let queued = 0;
  let isDetached = false;
  const slow = through(async (text, run) => {
    isDetached ||= text.includes('DETACH');
    const result = await run();
    if (text.includes('DELETE FROM mailbox') && !isDetached && queued < 50) {
      queued++;
      await wait(await log(), one);
    }
    return result;
  });
  await drop(slow);
  expect(queued).toBe(10);
  // What was queued after the last look goes without an end.
  expect([(await letters()).length, await oldDays()]).toEqual([10, []]);
  expect(await query('SELECT FROM mailbox WHERE endpoint_num = $1', [one.num])).toEqual([]);
});

const failure = (code: string) => Object.assign(new Error('planted'), { code });

test('a statement that takes too long is made with half as many, and one that others are in the way of again', async () => {
  const { tenant, endpoint } = await stage('halved');
  await logMany(tenant, await endpoint({ enabled: false }), 900);
  const failures = ['57014', '40P01', '55P03', '57014'];
  const told: number[] = [];
  const failing = through(async (text, run) => {
    if (!text.includes('DELETE FROM mailbox')) return run();
    const code = failures.shift();
    if (code !== undefined) throw failure(code);
    const result = await run();
    told.push(result.rows[0].deleted);
    return result;
  });
  await drop(failing);
  expect(told.filter((count) => count > 0)).toEqual([250, 250, 250, 150]);
  expect(await query('SELECT count(*)::int AS n FROM kept_dead_letters WHERE tenant_num = $1', [tenant.num])).toEqual([
    { n: 900 },
  ]);
});

test('a single delivery that takes too long to end fails the drop, and the next call goes on', async () => {
  const { endpoint, log, wait, letters } = await stage('stuck');
  const [event, one] = [await log(), await endpoint()];
  await wait(event, one);
  let tries = 0;
  const failing = through(async (text, run) => {
    if (!text.includes('DELETE FROM mailbox')) return run();
    tries++;
    throw failure('57014');
  });
  await expect(drop(failing)).rejects.toThrow('planted');
  expect(tries).toBe(10);
  await dropAfterFailure();
  expect(await letters()).toEqual([letterOf(event, one)]);
});

test('G2: what comes to be where was looked already is found before its day is detached', async () => {
  const { endpoint, log, wait, letters } = await stage('behind');
  const one = await endpoint();
  const [first, late] = [await log(), await log()];
  await wait(first, one);
  let looks = 0;
  const slow = through(async (text, run) => {
    const result = await run();
    // As a retry that is put off, whose row moves on.
    if (text.includes('DELETE FROM mailbox') && ++looks === 1) await wait(late, one, 0);
    return result;
  });
  await drop(slow);
  expect(await letters()).toEqual([letterOf(first, one), letterOf(late, one)].sort());
});

test('G2: deliveries of an event that were still to be written are dead letters that expired, each of them', async () => {
  const { tenant, endpoint, log, letters, ask } = await stage('unexpanded');
  const endpoints = [await endpoint(), await endpoint(), await endpoint(), await endpoint()];
  const nums = endpoints.map(({ num }) => num);
  const [wide, other] = [await log(), await log()];
  // The first was written before, and delivered.
  await logAttempt(service, tenant, wide, endpoints[0]!, 1, 'delivered', 'done');
  await ask('DELETE', `/endpoints/${endpoints[3]!.id}`);
  await query(
    'INSERT INTO expansions (event_id, tenant_num, endpoints, size, next) VALUES ($1, $2, $3, 4, 1), ($4, $2, $3, 4, 0)',
    [wide, tenant.num, nums, other],
  );
  await drop();
  const expired = [
    ...[1, 2].map((n) => letterOf(wide, endpoints[n]!)),
    ...[0, 1, 2].map((n) => letterOf(other, endpoints[n]!)),
  ];
  expect(await letters()).toEqual(expired.sort());
  expect(await query('SELECT FROM expansions WHERE tenant_num = $1', [tenant.num])).toEqual([]);
});

test('deliveries to more endpoints than one statement ends expire all the same', async () => {
  const { tenant, endpoint, log } = await stage('wide');
  const one = await endpoint();
  const nums = Array.from({ length: 2_300 }, (_, n) => one.num + n * 1_000);
  for (const size of [2_300, 700]) {
    await query('INSERT INTO expansions (event_id, tenant_num, endpoints, size) VALUES ($1, $2, $3, $4)', [
      await log(),
      tenant.num,
      nums.slice(0, size),
      size,
    ]);
  }
  await drop();
  expect(await query('SELECT count(*)::int AS n FROM kept_dead_letters WHERE tenant_num = $1', [tenant.num])).toEqual([
    { n: 3_000 },
  ]);
});

test('what was still to be written is ended half as many at a time where that takes too long, and again where others are in the way', async () => {
  const { tenant, endpoint, log } = await stage('wide-halved');
  const one = await endpoint();
  const nums = Array.from({ length: 900 }, (_, n) => one.num + n * 1_000);
  for (const size of [900, 50]) {
    await query('INSERT INTO expansions (event_id, tenant_num, endpoints, size) VALUES ($1, $2, $3, $4)', [
      await log(),
      tenant.num,
      nums.slice(0, size),
      size,
    ]);
  }
  const failures = ['57014', '40P01', '55P03', '57014'];
  const left: number[] = [];
  const failing = through(async (text, run) => {
    if (!text.includes('UPDATE expansions')) return run();
    const code = failures.shift();
    if (code !== undefined) throw failure(code);
    const result = await run();
    const [waiting] = await query('SELECT coalesce(sum(size - next), 0)::int AS n FROM expansions');
    left.push(waiting.n);
    return result;
  });
  await drop(failing);
  expect(left.filter((count, step) => count !== left[step - 1])).toEqual([700, 450, 200, 0]);
  expect(await query('SELECT count(*)::int AS n FROM kept_dead_letters WHERE tenant_num = $1', [tenant.num])).toEqual([
    { n: 950 },
  ]);
});

test.each([
  ['mailbox', 'DELETE FROM mailbox'],
  ['expansions', 'UPDATE expansions'],
])(
  'whoever has rows of %s locked is waited for, which is not taken for too many rows in a statement',
  async (table, ending) => {
    const { tenant, endpoint, log, wait, letters } = await stage(`locked-${table}`);
    const [event, one] = [await log(), await endpoint()];
    await wait(event, one);
    await query('INSERT INTO expansions (event_id, tenant_num, endpoints, size) VALUES ($1, $2, $3, 1)', [
      await log(),
      tenant.num,
      [one.num],
    ]);
    const other = await pool.connect();
    const failed: unknown[] = [];
    const sizes = new Set<unknown>();
    const impatient = through(async (text, run, _client, values) => {
      if (!text.includes(ending)) return run();
      sizes.add(values?.at(-1));
      try {
        return await run();
      } catch (error) {
        failed.push((error as { code?: string }).code);
        await other.query('ROLLBACK');
        throw error;
      }
    });
    try {
      await other.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
      await other.query(`SELECT FROM ${table} WHERE event_id < $1 FOR UPDATE`, [uuidAt(OLD_MS + DAY_MS)]);
      await drop(impatient);
    } finally {
      other.release(true);
    }
    expect([failed, [...sizes]]).toEqual([['55P03'], [1_000]]);
    expect(await letters()).toHaveLength(2);
  },
);

test('what waited for an endpoint that is deleted, or of an event that was expunged, is cancelled, and no dead letter', async () => {
  const { endpoint, log, wait, ask, letters } = await stage('cancelled');
  const [deleted, one] = [await endpoint(), await endpoint()];
  const [event, expunged] = [await log(), await log()];
  await ask('DELETE', `/endpoints/${deleted.id}`);
  await query('UPDATE events SET expunged_at = now() WHERE id = $1', [expunged]);
  await wait(event, deleted);
  await wait(expunged, one);
  const ends: unknown[] = [];
  const looking = through(async (text, run) => {
    if (text.includes('DETACH PARTITION') && ends.length === 0)
      ends.push(
        ...(await query('SELECT detail, decision FROM attempts WHERE event_id = ANY($1) ORDER BY 1', [
          [event, expunged],
        ])),
      );
    return run();
  });
  await drop(looking);
  expect(ends).toEqual([
    { detail: 'endpoint_deleted', decision: 4 },
    { detail: 'payload_expunged', decision: 4 },
  ]);
  expect(await letters()).toEqual([]);
});

test('what was made again and waits when its day is dropped is again what it was: a dead letter keeps its reason, a delivery stays one', async () => {
  const { tenant, endpoint, log, wait, attempt, letters } = await stage('again');
  const one = await endpoint();
  const [dead, delivered, cancelled] = [await log(), await log(), await log()];
  await attempt(dead, one, 1, 'tls', 'deadLetter');
  await attempt(delivered, one, 1, 'delivered', 'done');
  await attempt(cancelled, one, 2, 'skipped', 'cancel');
  await wait(dead, one, 1);
  await wait(delivered, one, 1);
  await wait(cancelled, one, 2);
  await drop();
  // What was cancelled was asked for since, and never made.
  expect(await letters()).toEqual([letterOf(dead, one, 'tls'), letterOf(cancelled, one)].sort());
  expect(await query('SELECT FROM system_notices WHERE tenant_num = $1', [tenant.num])).toHaveLength(1);
});

test('G5: a key whose first delivery expires waits for it where the endpoint pauses, with what is younger behind it', async () => {
  const { tenant, endpoint, log, wait, place, pauses, letters, ask } = await stage('paused');
  const settings = { order: 'endpoint', enabled: false };
  const [pausing, going] = [await endpoint({ ...settings, on_dead_letter: 'pause' }), await endpoint(settings)];
  const young = await logEvent(service, tenant);
  const [first, second] = [await log(), await log()];
  // In an order in which the table does not have them.
  for (const one of [pausing, going]) {
    for (const event of [young, second, first]) await wait(event, one);
    await place(first, one, 1);
    await place(second, one, 2, `parked = true`, `due_at = 'infinity'`);
    await place(young, one, 3, `parked = true`, `due_at = 'infinity'`);
  }
  await drop();
  expect(await pauses(pausing)).toEqual([{ event_id: first, seq: 1 }]);
  expect(await pauses(going)).toEqual([]);
  const parked = async (one: TestEndpoint) =>
    (await query('SELECT event_id, parked FROM mailbox WHERE endpoint_num = $1 ORDER BY seq', [one.num])).map(
      Object.values,
    );
  expect(await parked(pausing)).toEqual([[young, true]]);
  expect(await parked(going)).toEqual([[young, false]]);
  expect(await letters(`&endpoint_id=${pausing.id}`)).toHaveLength(2);
  // Retried, it goes before what stands behind it.
  await ask('POST', `/deliveries/${deliveryIdOf(first, pausing.num)}/retry`, {});
  expect((await parked(pausing)).map(([, isParked]) => isParked)).toEqual([false, true]);
});

test('G5: a key that waits for a dead letter goes on waiting for that one when what stands behind it expires', async () => {
  const { endpoint, log, wait, place, attempt, pauses, letters } = await stage('paused-before');
  const one = await endpoint({ order: 'endpoint', on_dead_letter: 'pause' });
  const [dead, behind] = [await log(), await log()];
  await attempt(dead, one, 1, 'rejected', 'deadLetter');
  await query('INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq) VALUES ($1, 0, $2, 1)', [
    one.num,
    dead,
  ]);
  await wait(behind, one);
  await place(behind, one, 2, `parked = true`, `due_at = 'infinity'`);
  await drop();
  expect(await pauses(one)).toEqual([{ event_id: dead, seq: 1 }]);
  expect(await letters()).toEqual([letterOf(dead, one, 'rejected'), letterOf(behind, one)].sort());
});

test('G5: the first of a key that expires in a later statement is the one that its key waits for', async () => {
  const { endpoint, log, wait, place, pauses } = await stage('found-later');
  const one = await endpoint({ order: 'endpoint', on_dead_letter: 'pause' });
  const [first, second] = [await log(), await log()];
  await wait(second, one);
  await place(second, one, 2);
  let looks = 0;
  const slow = through(async (text, run) => {
    const result = await run();
    if (text.includes('DELETE FROM mailbox') && ++looks === 1) {
      await wait(first, one);
      await place(first, one, 1);
    }
    return result;
  });
  await drop(slow);
  expect(await pauses(one)).toEqual([{ event_id: first, seq: 1 }]);
});

test('a delivery that a replay put behind younger ones of its key holds none of them up when it expires', async () => {
  const { tenant, endpoint, log, wait, place, pauses } = await stage('replayed-behind');
  const one = await endpoint({ order: 'endpoint', on_dead_letter: 'pause' });
  const young = await logEvent(service, tenant);
  const old = await log();
  await wait(young, one);
  await place(young, one, 1);
  await wait(old, one);
  await place(old, one, 2, `parked = true`, `due_at = 'infinity'`);
  await drop();
  expect(await pauses(one)).toEqual([]);
});

const TIMING = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
const RESPONSE = { headers: {}, body: new Uint8Array(0), truncated: false };
const TAKEN: Pick<SettledAttempt, 'outcome' | 'decision'> = {
  outcome: { kind: 'delivered', response: { status: 204, ...RESPONSE }, timing: TIMING },
  decision: { kind: 'done' },
};
const REFUSED: Pick<SettledAttempt, 'outcome' | 'decision'> = {
  outcome: { kind: 'rejected', response: { status: 500, ...RESPONSE }, timing: TIMING },
  decision: { kind: 'retry', delayMs: 1_000 },
};

/**
 * An ordered delivery of an old day whose request is under way, in a lane that is held here, and one that is younger behind it.
 * @param tried that it was a dead letter after so many attempts, and is made again
 */
async function underWay(id: string, tried = 0) {
  const { tenant, endpoint, log, wait, place, ...rest } = await stage(id);
  const one = await endpoint({ order: 'endpoint', on_dead_letter: 'pause' });
  const [old, young] = [await log(), await logEvent(service, tenant)];
  if (tried > 0) await rest.attempt(old, one, tried, 'tls', 'deadLetter');
  await wait(old, one, tried);
  await place(old, one, 1, ...(tried > 0 ? ['paused_at = now()'] : []));
  await wait(young, one);
  await place(young, one, 2, `parked = true`, `due_at = 'infinity'`);
  const lane = laneOf(one.num, TEST_LANES);
  await query(`UPDATE lanes SET owner = NULL, leased_until = '-infinity'`);
  const leases = await acquireLanes(pool, 'owner', [lane]);
  const attemptOf = (end: typeof TAKEN): SettledAttempt => ({
    ...end,
    ...{ eventUuid: old, endpointNum: one.num, tenantNum: tenant.num, lane, attempt: tried + 1, isReplay: false },
    ...{ startedAtMs: Date.now(), notice: null, mayPauseKey: false },
  });
  return {
    ...rest,
    wait,
    one,
    old,
    attemptOf,
    settleIt: (end: typeof TAKEN, on = pool) => settle(on, leases, [attemptOf(end)]),
    statusOf: async () => (await rest.ask('GET', `/deliveries/${deliveryIdOf(old, one.num)}`)).status,
  };
}

/** Does something when all has expired, and before the first day goes. */
async function dropWith(run: () => Promise<unknown>): Promise<void> {
  let isDone = false;
  const slow = through(async (text, go) => {
    if (text.startsWith('LOCK TABLE') && !isDone) {
      isDone = true;
      await run();
    }
    return go();
  });
  await drop(slow);
  expect(isDone).toBe(true);
}

test('G2: a delivery that expires while its receiver takes it is delivered, and what stands behind it goes on', async () => {
  const { one, old, settleIt, statusOf, pauses, letters } = await underWay('taken');
  await dropWith(async () => {
    expect([await statusOf(), await pauses(one)]).toEqual(['dead_lettered', [{ event_id: old, seq: 1 }]]);
    // The second time as by a process that did not hear of it.
    for (let times = 0; times < 2; times++) {
      await settleIt(TAKEN);
      expect([await statusOf(), await pauses(one)]).toEqual(['delivered', []]);
    }
  });
  expect(await letters()).toEqual([]);
});

test('G2: one that fails under way stays expired, with that attempt on record, and its key waits for it', async () => {
  const { one, old, settleIt, statusOf, pauses, letters, ask } = await underWay('refused');
  await dropWith(async () => {
    await settleIt(REFUSED);
    expect([await statusOf(), await pauses(one)]).toEqual(['dead_lettered', [{ event_id: old, seq: 1 }]]);
  });
  expect(await letters()).toEqual([letterOf(old, one)]);
  expect((await ask('GET', '/dead-letters')).data[0]).toMatchObject({ attempts: 1 });
});

test.each([
  ['taken', TAKEN, false],
  ['refused', REFUSED, true],
] as const)(
  'where its answer comes when its day is gone, and it was %s, it is a dead letter if it was refused',
  async (word, end, isLetter) => {
    const { one, old, attemptOf, pauses, letters } = await underWay(`${word}-later`);
    await drop();
    await endDeliveriesOfDroppedDays(pool, [attemptOf(end)]);
    expect(await letters()).toEqual(isLetter ? [letterOf(old, one)] : []);
    expect(await pauses(one)).toEqual(isLetter ? [{ event_id: old, seq: 1 }] : []);
    expect(await query('SELECT FROM kept_events WHERE id = $1', [old])).toHaveLength(isLetter ? 1 : 0);
  },
);

test('G2: a dead letter that is made again, and leaves while its receiver takes it, is delivered, and what stands behind it goes on', async () => {
  const { one, old, settleIt, statusOf, pauses, letters } = await underWay('retried-taken', 1);
  await dropWith(async () => {
    expect([await statusOf(), await pauses(one)]).toEqual(['dead_lettered', [{ event_id: old, seq: 1 }]]);
    for (let times = 0; times < 2; times++) {
      await settleIt(TAKEN);
      expect([await statusOf(), await pauses(one)]).toEqual(['delivered', []]);
    }
    expect(await query('SELECT attempt, decision FROM attempts WHERE event_id = $1 ORDER BY 1', [old])).toEqual([
      { attempt: 1, decision: 3 },
      { attempt: 2, decision: 1 },
    ]);
  });
  expect(await letters()).toEqual([]);
});

test('one that fails, or was asked for again meanwhile, stays what it is', async () => {
  const { one, old, settleIt, statusOf, wait } = await underWay('retried-refused', 1);
  await query('DELETE FROM mailbox WHERE event_id = $1', [old]);
  await settleIt(REFUSED);
  expect(await statusOf()).toBe('dead_lettered');
  await query('DELETE FROM attempts WHERE event_id = $1 AND attempt = 2', [old]);
  await wait(old, one, 2);
  await settleIt(TAKEN);
  expect(await query('SELECT decision FROM attempts WHERE event_id = $1 ORDER BY attempt', [old])).toEqual([
    { decision: 3 },
    { decision: 5 },
  ]);
  await drop();
});

test.each([0, 1])(
  'one that is taken, and whose day goes between its record and what follows from it, is no dead letter (%i attempts before)',
  async (tried) => {
    const { one, settleIt, letters, pauses } = await underWay(`taken-between-${tried}`, tried);
    const interrupted = through(async (text, run) => {
      if (text.includes('LOCK TABLE')) throw new Error('planted');
      return run();
    });
    await expect(drop(interrupted)).rejects.toThrow('planted');
    let isGone = false;
    const query = async (text: string, values: unknown[]) => {
      if (typeof text === 'string' && text.includes('overruled AS')) {
        await dropAfterFailure();
        isGone = true;
      }
      return pool.query(text, values);
    };
    await settleIt(TAKEN, Object.assign(Object.create(pool), { query }));
    expect(isGone).toBe(true);
    expect([await letters(), await pauses(one)]).toEqual([[], []]);
  },
);

test('a dead letter that was made again, and is taken when its day is gone, is none', async () => {
  const { one, attemptOf, pauses, letters } = await underWay('redriven-later', 1);
  await drop();
  expect(await letters()).toHaveLength(1);
  await endDeliveriesOfDroppedDays(pool, [attemptOf(TAKEN)]);
  expect([await letters(), await pauses(one)]).toEqual([[], []]);
});

test.each([
  ['taken', TAKEN, false],
  ['refused', REFUSED, true],
] as const)(
  'where a dead letter that was made again is %s when its day is detached and not copied yet, it is one if it was refused',
  async (word, end, isLetter) => {
    const { one, old, attemptOf, pauses, letters } = await underWay(`${word}-uncopied`, 1);
    const slow = through(async (text, run, client) => {
      // Somebody reads it: it cannot be moved at one moment.
      if (text.includes('LOCK TABLE')) await client.query(`DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$`);
      const result = await run();
      if (text.includes('CONCURRENTLY') && text.includes(DAY)) await endDeliveriesOfDroppedDays(pool, [attemptOf(end)]);
      return result;
    });
    await drop(slow);
    expect(await letters()).toEqual(isLetter ? [letterOf(old, one, 'tls')] : []);
    expect(await pauses(one)).toEqual(isLetter ? [{ event_id: old, seq: 1 }] : []);
    expect(await query('SELECT FROM kept_events WHERE id = $1', [old])).toHaveLength(isLetter ? 1 : 0);
  },
);

test('one that is taken while it is being copied is no dead letter', async () => {
  const { one, old, attemptOf, pauses, letters } = await underWay('taken-in-copy', 1);
  const [holder, copier] = [await pool.connect(), await pool.connect()];
  try {
    await pool.query(`ALTER TABLE attempts DETACH PARTITION "${DAY}"`);
    await holder.query('BEGIN');
    await holder.query('SELECT FROM events WHERE id = $1 FOR UPDATE', [old]);
    const copying = keepDeadLetters(copier, DAY);
    await untilWaiting('WITH looked AS MATERIALIZED');
    await endDeliveriesOfDroppedDays(pool, [attemptOf(TAKEN)]);
    await holder.query('COMMIT');
    expect(await copying).toBe(0);
  } finally {
    holder.release(true);
    copier.release();
  }
  expect([await letters(), await pauses(one)]).toEqual([[], []]);
  await drop();
  expect(await query('SELECT FROM kept_events WHERE id = $1', [old])).toEqual([]);
});

test('an end that was written twice, and whose delivery was given up since, stays as it is on record', async () => {
  const { old, one, settleIt, attempt } = await underWay('twice');
  await settleIt(TAKEN);
  await attempt(old, one, 2, 'rejected', 'deadLetter');
  await settleIt(TAKEN);
  expect(await query('SELECT attempt, decision FROM attempts WHERE event_id = $1 ORDER BY 1', [old])).toEqual([
    { attempt: 1, decision: 1 },
    { attempt: 2, decision: 3 },
  ]);
  await drop();
});
