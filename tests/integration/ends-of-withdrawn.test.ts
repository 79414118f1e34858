import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf, eventIdOf, newUuid, uuidTime } from '../../src/domain/ids.ts';
import { addMissingEnds } from '../../src/store/add-missing-ends.ts';
import { DECISION } from '../../src/store/codes.ts';
import { lockRedrives } from '../../src/store/redrive.ts';
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
import { startTestService, type TestService } from '../support/test-service.ts';
import { dayOf, writtenDays } from '../support/written-days.ts';

type Attempt = readonly [outcome: Parameters<typeof logAttempt>[5], decision: Parameters<typeof logAttempt>[6]];

let service: TestService;
let pool: pg.Pool;

beforeAll(async () => {
  service = await startTestService();
  pool = service.context.workerPool;
});

afterAll(() => service.stop());

/** An endpoint of a new tenant, and what is asked of that. */
async function stage(id: string) {
  const tenant = await makeTenant(service, id);
  const endpoint = await makeEndpoint(service, tenant);
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/${id}${path}`, body)).body;
  return { tenant, endpoint, ask };
}

async function log(tenant: TestTenant, endpoint: TestEndpoint, ...attempts: readonly Attempt[]): Promise<string> {
  const event = await logEvent(service, tenant);
  for (const [i, [outcome, decision]] of attempts.entries())
    await logAttempt(service, tenant, event, endpoint, i + 1, outcome, decision);
  return event;
}

/** A replay of what the endpoint missed that was cancelled two hours ago, when it had looked at all that it was to. Nothing moved it: there is no worker. */
async function cancelledReplay(
  { endpoint, ask }: Awaited<ReturnType<typeof stage>>,
  { matched = 1, cursor = null, ...asked }: Record<string, unknown> = {},
): Promise<string> {
  const { id } = await ask('POST', '/replays', { endpoint_id: endpoint.id, ...asked });
  await ask('DELETE', `/replays/${id}`);
  await pool.query(
    `UPDATE replays SET finished_at = now() - interval '2 hours', matched = $2, cursor = coalesce($3::uuid, (filter->'plan'->>'to')::uuid) WHERE id = $1`,
    [id, matched, cursor],
  );
  return id;
}

/** The pool, whose statements are told when they are done, and on which connection. */
function watched(onStatement: (text: string, client: pg.ClientBase, values?: unknown[]) => unknown): pg.Pool {
  const told = (client: pg.PoolClient) => ({
    query: async (text: string, values?: unknown[]) => {
      const result = await client.query(text, values);
      await onStatement(text, client, values);
      return result;
    },
    release: (broken: boolean) => client.release(broken),
  });
  return { connect: async () => told(await pool.connect()) } as unknown as pg.Pool;
}

/** Events that an earlier version left open at the endpoint. */
async function logLeft(tenant: TestTenant, endpoint: TestEndpoint, count: number): Promise<void> {
  const events = Array.from({ length: count }, () => newUuid(Date.now()));
  await pool.query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision)
     SELECT unnest($1::uuid[]), now(), $2, $3, 1, 2, 5`,
    [events, endpoint.num, tenant.num],
  );
}

test('a delivery that an earlier version left without an end, its replay cancelled during an attempt, gets the one that it had, by its id and in the list alike; others stay as they are', async () => {
  const acme = await stage('acme');
  const { tenant, endpoint, ask } = acme;
  const left = await log(tenant, endpoint, ['rejected', 'late']);
  const taken = await log(tenant, endpoint, ['delivered', 'late']);
  const waiting = await log(tenant, endpoint, ['rejected', 'retry']);
  await logWaiting(service, tenant, waiting, endpoint, 1);
  const dead = await log(tenant, endpoint, ['rejected', 'deadLetter'], ['rejected', 'late']);
  const delivered = await log(tenant, endpoint, ['delivered', 'done']);
  const all = [left, taken, waiting, dead, delivered];
  const idOf = (event: string) => deliveryIdOf(event, endpoint.num);
  const statuses = () => Promise.all(all.map(async (event) => (await ask('GET', `/deliveries/${idOf(event)}`)).status));
  const listed = async (status: string) =>
    (await ask('GET', `/deliveries?status=${status}`)).data.map(({ id }: { id: string }) => id).sort();
  expect(await statuses()).toEqual(['cancelled', 'cancelled', 'retrying', 'dead_lettered', 'delivered']);
  expect(await listed('cancelled')).toEqual([]);

  await cancelledReplay(acme);
  expect(await addMissingEnds(pool)).toBe(2);
  expect(await statuses()).toEqual(['cancelled', 'delivered', 'retrying', 'dead_lettered', 'delivered']);
  expect(await listed('cancelled')).toEqual([idOf(left)]);
  expect(await listed('delivered')).toEqual([idOf(taken), idOf(delivered)].sort());
  expect(await ask('GET', `/deliveries/${idOf(left)}`)).toMatchObject({
    attempts: 1,
    last_attempt: { number: 3, outcome: 'skipped', detail: 'replay_cancelled' },
  });
});

test('each cancelled replay is looked at once, some attempts at a time, and where it was left off', async () => {
  const acme = await stage('chunks');
  await logLeft(acme.tenant, acme.endpoint, 2_500);
  await cancelledReplay(acme);
  const stopping = new AbortController();
  let looks = 0;
  const counting = watched((text) => {
    if (text.includes('INSERT INTO attempts')) looks++;
    if (text.startsWith('UPDATE replays')) stopping.abort();
  });
  expect(await addMissingEnds(counting, stopping.signal)).toBe(1_000);
  expect(looks).toBe(1);
  expect(await addMissingEnds(counting)).toBe(1_500);
  expect(looks).toBe(3);
  expect(await addMissingEnds(counting)).toBe(0);
  expect(looks).toBe(3);
});

test('a replay is not looked at while a request may be under way that it sent', async () => {
  const acme = await stage('young');
  await logLeft(acme.tenant, acme.endpoint, 1);
  const id = await cancelledReplay(acme);
  await pool.query('UPDATE replays SET finished_at = now() WHERE id = $1', [id]);
  expect(await addMissingEnds(pool)).toBe(0);
  await pool.query(`UPDATE replays SET finished_at = now() - interval '2 hours' WHERE id = $1`, [id]);
  expect(await addMissingEnds(pool)).toBe(1);
});

test('of a cancelled replay that made nothing no event is looked at, else those that it came to, and of one that named events those', async () => {
  const looked: unknown[] = [];
  const looking = watched((text, _client, values) => text.includes('INSERT INTO attempts') && looked.push(values));
  const none = await stage('none');
  await logLeft(none.tenant, none.endpoint, 1);
  await cancelledReplay(none, { matched: 0 });
  expect(await addMissingEnds(looking)).toBe(0);
  expect(looked).toEqual([]);

  const half = await stage('half');
  const first = await log(half.tenant, half.endpoint, ['rejected', 'late']);
  const second = await log(half.tenant, half.endpoint, ['rejected', 'late']);
  await cancelledReplay(half, { cursor: first });
  expect(await addMissingEnds(looking)).toBe(1);
  await cancelledReplay(half, { event_ids: [eventIdOf(second)] });
  expect(await addMissingEnds(looking)).toBe(1);
  expect(looked).toHaveLength(2);
  expect(looked[1]).toEqual([
    half.endpoint.num,
    second,
    true,
    expect.any(String),
    second,
    `{${second}}`,
    half.tenant.num,
  ]);
});

test('a replay that was cancelled long after the version came that leaves nothing open is not looked at, however many there are', async () => {
  const acme = await stage('later');
  await logLeft(acme.tenant, acme.endpoint, 1);
  const since = `UPDATE _prisma_migrations SET finished_at = finished_at + $1::interval WHERE migration_name = '20261130030000_looks_for_ends'`;
  await pool.query(since, ['-8 days']);
  await cancelledReplay(acme);
  expect(await addMissingEnds(pool)).toBe(0);
  await pool.query(since, ['8 days']);
  expect(await addMissingEnds(pool)).toBe(1);
});

test('one process at a time looks, and the others go on to what else they have to do', async () => {
  const acme = await stage('alone');
  await logLeft(acme.tenant, acme.endpoint, 1);
  await cancelledReplay(acme);
  let others: number | null = null;
  const first = watched(async (text) => {
    if (text.includes('INSERT INTO attempts')) others = await addMissingEnds(pool);
  });
  expect(await addMissingEnds(first)).toBe(1);
  expect(others).toBe(0);
});

test('a delivery that a retry by hand is about to bring back gets no end beside it', async () => {
  const acme = await stage('retried');
  const { tenant, endpoint } = acme;
  const event = await log(tenant, endpoint, ['rejected', 'late']);
  await cancelledReplay(acme);
  const redriving = await pool.connect();
  onTestFinished(() => redriving.release());
  await redriving.query('BEGIN');
  await lockRedrives(redriving, tenant.num);
  const adding = addMissingEnds(pool);
  await eventually(
    () => pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`),
    ({ rowCount }) => rowCount === 1,
  );
  await redriving.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, attempt) VALUES ($1, 'infinity', $2, $3, 0, 1)`,
    [event, endpoint.num, tenant.num],
  );
  await redriving.query('COMMIT');
  expect(await adding).toBe(0);
  const { rows } = await pool.query('SELECT attempt, decision FROM attempts WHERE event_id = $1', [event]);
  expect(rows).toEqual([{ attempt: 1, decision: DECISION.late }]);
});

test('what ends is written without a lock on any other day of the log', async () => {
  const acme = await stage('days');
  const { tenant, endpoint } = acme;
  const [yesterday, today] = [newUuid(Date.now() - 86_400_000), newUuid(Date.now())];
  for (const uuid of [yesterday, today]) {
    const event = await logEvent(service, tenant, 'order.created', uuid);
    await logAttempt(service, tenant, event, endpoint, 1, uuid === yesterday ? 'delivered' : 'rejected', 'late');
  }
  await cancelledReplay(acme, { since: new Date(Date.now() - 2 * 86_400_000).toISOString() });
  const written: string[][] = [];
  const looking = watched(async (text, client) => {
    if (text.startsWith('UPDATE replays')) written.push(await writtenDays(client));
  });
  expect(await addMissingEnds(looking)).toBe(2);
  expect(written).toEqual([[dayOf(uuidTime(yesterday)), dayOf(uuidTime(today))]]);
});

test('however many replays there are, those that are owed are found by their index, and the attempts and the mailbox are probed for each event', async () => {
  const acme = await stage('many');
  await logLeft(acme.tenant, acme.endpoint, 1);
  await pool.query(
    `INSERT INTO replays (id, tenant_num, filter, state, matched, finished_at, ends_looked_to)
     SELECT 'rpl_many_' || n, $1, '{"plan": {"endpointNum": 1, "status": null}}', CASE n % 2 WHEN 0 THEN 'cancelled' ELSE 'completed' END, n % 3, now() - interval '1 day',
            CASE WHEN n % 3 > 0 THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid END FROM generate_series(1, 20000) AS n`,
    [acme.tenant.num],
  );
  await pool.query('ANALYZE replays');
  await cancelledReplay(acme);
  const plans = new Map<string, string>();
  const explaining = watched(async (text, client, values) => {
    const [what] = ['FROM replays', 'INSERT INTO attempts'].filter((part) => text.includes(part));
    if (what === undefined) return;
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`, values);
    plans.set(what, JSON.stringify(rows));
  });
  expect(await addMissingEnds(explaining)).toBe(1);
  expect(plans.get('FROM replays')).toContain('"Index Name":"replays_owed_ends_idx"');
  expect(plans.get('FROM replays')).not.toMatch(/replays_pkey|"Sort"/);
  for (const probe of ['(event_id = looked.event_id)', '(event_id = e.event_id)'])
    expect(plans.get('INSERT INTO attempts')).toContain(probe);
});
