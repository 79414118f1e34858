import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, newUuid } from '../../src/domain/ids.ts';
import { addMissingEnds } from '../../src/store/add-missing-ends.ts';
import { call } from '../support/api.ts';
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

/** A replay of what the endpoint missed that was cancelled two hours ago. Nothing moved it: there is no worker. */
async function cancelledReplay({ endpoint, ask }: Awaited<ReturnType<typeof stage>>): Promise<string> {
  const { id } = await ask('POST', '/replays', { endpoint_id: endpoint.id });
  await ask('DELETE', `/replays/${id}`);
  await pool.query(`UPDATE replays SET finished_at = now() - interval '2 hours' WHERE id = $1`, [id]);
  return id;
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
  let statements = 0;
  const counting = {
    query: (async (text: string, values?: unknown[]) => {
      statements++;
      const result = await pool.query(text, values);
      if (text.startsWith('UPDATE replays')) stopping.abort();
      return result;
    }) as pg.Pool['query'],
  };
  expect(await addMissingEnds(counting, stopping.signal)).toBe(1_000);
  expect(statements).toBe(3);
  expect(await addMissingEnds(counting)).toBe(1_500);
  statements = 0;
  expect(await addMissingEnds(counting)).toBe(0);
  expect(statements).toBe(1);
});

test('a replay is not looked at while a request may be under way that it sent, or while another may make its deliveries', async () => {
  const acme = await stage('young');
  await logLeft(acme.tenant, acme.endpoint, 1);
  const id = await cancelledReplay(acme);
  await pool.query('UPDATE replays SET finished_at = now() WHERE id = $1', [id]);
  expect(await addMissingEnds(pool)).toBe(0);
  await pool.query(`UPDATE replays SET finished_at = now() - interval '2 hours' WHERE id = $1`, [id]);
  const other = await acme.ask('POST', '/replays', {});
  expect(await addMissingEnds(pool)).toBe(0);
  await acme.ask('DELETE', `/replays/${other.id}`);
  expect(await addMissingEnds(pool)).toBe(1);
});
