import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelForDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { countWaitingOf } from '../../src/store/ingest-demand.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { Expander } from '../../src/workers/expander.ts';
import { Replayer } from '../../src/workers/replayer.ts';
import { call } from '../support/api.ts';
import { makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { makeManyEndpoints } from '../support/many-endpoints.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let one: TestService;
let other: TestService;
let tenant: TestTenant;
let wide: readonly number[];
const failures: unknown[] = [];

beforeAll(async () => {
  one = await startTestService();
  other = await startTestService({ databaseUrl: one.databaseUrl });
  tenant = await makeTenant(one, 'acme');
  wide = await makeManyEndpoints(one, tenant, 'wide.event', 700);
});

afterAll(async () => {
  expect(failures).toEqual([]);
  await other.stop();
  await one.stop();
});

const workerOf = ({ context }: TestService) => ({
  pool: context.workerPool,
  lanes: TEST_LANES,
  ringEndpoints: context.ringEndpoints,
  onFailure: (error: unknown) => failures.push(error),
});
const drainAll = (service = one) => new Expander(workerOf(service)).drain(new AbortController().signal, 60_000);
const query = async (text: string, values: unknown[] = []) => (await one.context.apiPool.query(text, values)).rows;
const ask = (method: string, path: string, body?: unknown) =>
  call(one.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);

const post = (service: TestService, event: Record<string, unknown> = {}) =>
  call(service.baseUrl, 'POST', '/v1/events', { type: 'wide.event', tenant_id: tenant.id, data: {}, ...event });

async function accept(event: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await post(one, event);
  expect(status).toBe(202);
  return body.id;
}

/** Every delivery of a list, page after page. */
// biome-ignore lint/suspicious/noExplicitAny: as the API answers.
async function readAll(path: string, limit = 250): Promise<any[]> {
  const found = [];
  for (let next = ''; ; ) {
    const { status, body } = await ask('GET', `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${next}`);
    expect(status).toBe(200);
    found.push(...body.data);
    if (body.next === null) return found;
    next = `&cursor=${encodeURIComponent(body.next)}`;
  }
}

/** Numbers of the endpoints that an event's mailbox rows are for. */
async function mailboxOf(id: string): Promise<number[]> {
  const rows = await query(
    `SELECT m.endpoint_num FROM mailbox m JOIN events e ON e.id = m.event_id WHERE e.external_id = $1 ORDER BY 1`,
    [id],
  );
  return rows.map(({ endpoint_num }) => endpoint_num);
}

/** Does what lanes do: makes every delivery that waits. One that was written twice would have to be made under the same number again. */
const deliverAll = () =>
  query(
    `WITH gone AS (DELETE FROM mailbox RETURNING *)
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status)
     SELECT event_id, now(), endpoint_num, tenant_num, attempt + 1, 1, 1, 200 FROM gone`,
  );

const expansionsLeft = async () => (await query('SELECT count(*)::int AS n FROM expansions'))[0].n;

test('an event for very many endpoints is answered with all of them at once, is expanded to each once, and its duplicates hear the same', async () => {
  const event = { id: 'w-1', metadata: { idempotency_key: 'k-1' } };
  expect((await post(one, event)).body).toEqual({ id: 'w-1', status: 'accepted', deliveries: 700 });
  expect(await mailboxOf('w-1')).toEqual([]);
  expect((await post(other, event)).body).toEqual({ id: 'w-1', status: 'duplicate', deliveries: 700 });
  await drainAll();
  expect(await mailboxOf('w-1')).toEqual(wide);
  expect((await post(other, event)).body).toEqual({ id: 'w-1', status: 'duplicate', deliveries: 700 });
  expect(await expansionsLeft()).toBe(0);
});

test('before, during and after its expansion every list shows each of its deliveries once, as pending', async () => {
  await accept({ id: 'w-2' });
  const [endpoint] = await query('SELECT id FROM endpoints WHERE num = $1', [wide[650]]);
  const check = async () => {
    for (const path of [
      '/events/w-2/deliveries',
      '/deliveries?event_id=w-2',
      '/deliveries?event_id=w-2&status=pending',
    ]) {
      const found = await readAll(path);
      expect(new Set(found.map(({ id }) => id)).size).toBe(700);
      expect(found).toHaveLength(700);
      expect(found.every(({ status, attempts }) => status === 'pending' && attempts === 0)).toBe(true);
    }
    const pending = (await readAll('/deliveries?status=pending', 100)).filter(({ event_id }) => event_id === 'w-2');
    expect(new Set(pending.map(({ id }) => id)).size).toBe(700);
    expect(pending).toHaveLength(700);
    const ofEndpoint = await readAll(`/deliveries?endpoint_id=${endpoint.id}`);
    expect(ofEndpoint.filter(({ event_id }) => event_id === 'w-2')).toHaveLength(1);
    expect((await ask('GET', `/deliveries/${ofEndpoint[0].id}`)).body).toMatchObject({ status: 'pending' });
    expect((await readAll('/deliveries')).filter(({ event_id }) => event_id === 'w-2')).toHaveLength(700);
    expect((await readAll('/deliveries?status=retrying')).length).toBe(0);
    const stats = await ask('GET', `/endpoints/${endpoint.id}/stats`);
    expect(stats.status).toBe(200);
    return JSON.stringify(stats.body.backlog);
  };
  const stats = await check();
  expect(await new Expander(workerOf(one)).runOnce()).toBe(true);
  expect(await mailboxOf('w-2')).toHaveLength(500);
  expect(await check()).toBe(stats);
  await drainAll();
  expect(await check()).toBe(stats);
});

test('workers that expand at once share the work and write each delivery once', async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `shared-${i}`);
  await Promise.all(ids.map((id, i) => post(i % 2 === 0 ? one : other, { id })));
  let isOver = false;
  const delivering = (async () => {
    while (!isOver) await deliverAll();
  })();
  await Promise.all([one, other, one, other].map((service) => drainAll(service)));
  // What one of them held when another looked is the first one's to finish.
  await drainAll();
  isOver = true;
  await delivering;
  await deliverAll();
  const made = await query(
    `SELECT e.external_id AS id, count(*)::int AS n, count(DISTINCT endpoint_num)::int AS endpoints
       FROM attempts a JOIN events e ON e.id = a.event_id WHERE e.external_id LIKE 'shared-%' GROUP BY 1`,
  );
  expect(made.map(({ n, endpoints }) => [n, endpoints])).toEqual(ids.map(() => [700, 700]));
});

test('a tenant with many wide events delays the expansion of another tenant’s by a chunk a round', async () => {
  const quiet = await makeTenant(one, 'quiet');
  const nums = await makeManyEndpoints(one, quiet, 'quiet.event', 300);
  await Promise.all(Array.from({ length: 20 }, (_, i) => accept({ id: `noisy-${i}` })));
  const event = { id: 'quiet-1', type: 'quiet.event', tenant_id: quiet.id, data: {} };
  expect((await call(one.baseUrl, 'POST', '/v1/events', event)).body.deliveries).toBe(300);
  await new Expander(workerOf(one)).runOnce();
  expect(await mailboxOf('quiet-1')).toEqual(nums);
  expect(await expansionsLeft()).toBe(20);
  await drainAll();
});

test('ordered endpoints get a wide event in its place: before a later event, however late it is expanded', async () => {
  const settings = {
    url: 'http://127.0.0.1:9/',
    order: 'endpoint',
    subscriptions: [{ types: ['wide.event', 'later'] }],
  };
  const ordered = await makeEndpoint(one, tenant, settings);
  const bySubject = await makeEndpoint(one, tenant, { ...settings, order: 'subject' });
  const first = await post(one, { id: 'o-1', subject: 's' });
  expect(first.body.deliveries).toBe(702);
  await accept({ id: 'o-2', type: 'later', subject: 's' });
  for (const { num } of [ordered, bySubject]) {
    const rows = await query(
      `SELECT e.external_id AS id FROM mailbox m JOIN events e ON e.id = m.event_id WHERE m.endpoint_num = $1 ORDER BY m.seq`,
      [num],
    );
    expect(rows.map(({ id }) => id)).toEqual(['o-1', 'o-2']);
  }
  await drainAll();
  expect(await mailboxOf('o-1')).toEqual([...wide, ordered.num, bySubject.num]);
  for (const { id } of [ordered, bySubject]) await ask('DELETE', `/endpoints/${id}`);
});

test('an event that is expunged while it is expanded is sent to nobody: what was written and what was not is cancelled', async () => {
  await accept({ id: 'x-1', data: { secret: 1 } });
  await new Expander(workerOf(one)).runOnce();
  expect(await mailboxOf('x-1')).toHaveLength(500);
  expect((await ask('DELETE', '/events/x-1/payload')).status).toBe(204);
  await drainAll();
  expect(await mailboxOf('x-1')).toEqual([]);
  const deliveries = await readAll('/events/x-1/deliveries');
  expect(deliveries).toHaveLength(700);
  for (const { status, attempts, last_attempt } of deliveries) {
    expect({ status, attempts }).toEqual({ status: 'cancelled', attempts: 0 });
    expect(last_attempt).toMatchObject({ outcome: 'skipped', detail: 'payload_expunged' });
  }
  const audit = await query(`SELECT after FROM audit_log WHERE object = 'x-1'`);
  expect(audit).toEqual([{ after: { deliveries_cancelled: 700 } }]);
});

test('expunges that race the expansion leave nothing behind', async () => {
  const ids = Array.from({ length: 8 }, (_, i) => `xr-${i}`);
  await Promise.all(ids.map((id) => accept({ id })));
  const expanding = Promise.all([drainAll(one), drainAll(other)]);
  const answers = await Promise.all(ids.map((id) => ask('DELETE', `/events/${id}/payload`)));
  await expanding;
  await drainAll();
  expect(answers.every(({ status }) => status === 204)).toBe(true);
  for (const id of ids) {
    expect(await mailboxOf(id)).toEqual([]);
    const [{ n }] = await query(
      `SELECT count(*)::int AS n FROM attempts a JOIN events e ON e.id = a.event_id WHERE e.external_id = $1`,
      [id],
    );
    expect(n).toBe(700);
  }
});

test('one delivery that is cancelled before it is expanded is never made, one that is retried is due at once, and the rest follows', async () => {
  await accept({ id: 'c-1' });
  const deliveries = await readAll('/events/c-1/deliveries');
  const [cancelled, retried] = deliveries;
  expect((await ask('POST', `/deliveries/${cancelled.id}/cancel`)).status).toBe(202);
  expect((await ask('POST', `/deliveries/${retried.id}/retry`)).status).toBe(202);
  expect(await mailboxOf('c-1')).toHaveLength(1);
  await drainAll();
  expect(await mailboxOf('c-1')).toHaveLength(699);
  expect((await ask('GET', `/deliveries/${cancelled.id}`)).body).toMatchObject({ status: 'cancelled', attempts: 0 });
  expect((await ask('POST', `/deliveries/${cancelled.id}/cancel`)).status).toBe(409);
  expect(await readAll('/events/c-1/deliveries')).toHaveLength(700);
});

test('an endpoint that is deleted between acceptance and expansion is cancelled, and no other', async () => {
  await accept({ id: 'd-1' });
  const [{ id }] = await query('SELECT id FROM endpoints WHERE num = $1', [wide[0]]);
  expect((await ask('DELETE', `/endpoints/${id}`)).status).toBe(204);
  await drainAll();
  while (await cancelForDeletedEndpoints(one.context.workerPool));
  const deliveries = await readAll('/events/d-1/deliveries');
  const ended = deliveries.filter(({ status }) => status !== 'pending');
  expect(ended).toMatchObject([{ endpoint_id: id, status: 'cancelled' }]);
  expect(deliveries).toHaveLength(700);
  wide = wide.slice(1);
});

test('an event goes to the endpoints that it matched when it was accepted, whatever subscriptions became by its expansion', async () => {
  await accept({ id: 's-1' });
  const added = await makeEndpoint(one, tenant, { subscriptions: [{ types: ['wide.event'] }] });
  const [{ id }] = await query('SELECT id FROM endpoints WHERE num = $1', [wide[0]]);
  await ask('PATCH', `/endpoints/${id}`, { subscriptions: [{ types: ['nothing'] }] });
  await drainAll();
  expect(await mailboxOf('s-1')).toEqual(wide);
  expect((await post(one, { id: 's-2' })).body.deliveries).toBe(wide.length);
  await drainAll();
  expect(await mailboxOf('s-2')).toEqual([...wide.slice(1), added.num]);
  await ask('PATCH', `/endpoints/${id}`, { subscriptions: [{ types: ['wide.event'] }] });
  await ask('DELETE', `/endpoints/${added.id}`);
});

test('wide events that race a change are each expanded to as many as their answer said', async () => {
  const [{ id }] = await query('SELECT id FROM endpoints WHERE num = $1', [wide[5]]);
  const racing = Array.from({ length: 30 }, (_, i) => post(i % 2 === 0 ? one : other, { id: `r-${i}` }));
  const flips = (async () => {
    for (let i = 0; i < 8; i++) await ask('PATCH', `/endpoints/${id}`, { enabled: i % 2 === 1 });
  })();
  const expanding = drainAll(other);
  const answers = await Promise.all(racing);
  await Promise.all([flips, expanding]);
  await drainAll();
  for (const { status, body } of answers) {
    expect(status).toBe(202);
    expect(await mailboxOf(body.id)).toHaveLength(body.deliveries);
  }
});

test('a replay to an endpoint does not make what is still to be expanded to it', async () => {
  await accept({ id: 'p-1' });
  const [{ id }] = await query('SELECT id FROM endpoints WHERE num = $1', [wide[9]]);
  const replay = await ask('POST', '/replays', { endpoint_id: id, event_ids: ['p-1'] });
  expect(replay.status).toBe(202);
  await new Replayer(workerOf(one)).runOnce();
  expect(await mailboxOf('p-1')).toEqual([]);
  await drainAll();
  expect(await mailboxOf('p-1')).toEqual(wide);
});

test('what is still to be expanded counts as waiting for the tenant’s limit', async () => {
  const limited = await makeTenant(one, 'limited');
  await makeManyEndpoints(one, limited, 'limited.event', 250);
  const event = { type: 'limited.event', tenant_id: limited.id, data: {} };
  await call(one.baseUrl, 'POST', '/v1/events', [event, event]);
  const counted = () => countWaitingOf(one.context.apiPool, new Map([[limited.num, 400]]));
  const most = () => countWaitingOf(one.context.apiPool, new Map([[limited.num, 10_000]]));
  expect([...(await counted()).values(), ...(await most()).values()]).toEqual([400, 500]);
  await drainAll();
  expect([...(await counted()).values(), ...(await most()).values()]).toEqual([400, 500]);
});

test('a batch of events with many deliveries together is taken, and a chunk goes on from one event to the next', async () => {
  const bulk = await makeTenant(one, 'bulk');
  await makeManyEndpoints(one, bulk, 'bulk.event', 150);
  const event = { type: 'bulk.event', tenant_id: bulk.id, data: {} };
  const { status } = await call(one.baseUrl, 'POST', '/v1/events', new Array(100).fill(event));
  expect(status).toBe(202);
  const written = () =>
    query(
      `SELECT count(*)::int AS n, count(DISTINCT endpoint_num)::int AS endpoints FROM mailbox WHERE tenant_num = $1
        GROUP BY event_id ORDER BY event_id`,
      [bulk.num],
    );
  await new Expander(workerOf(one)).runOnce();
  expect((await written()).map(({ n }) => n)).toEqual([150, 150, 150, 50]);
  await drainAll();
  expect(await written()).toEqual(new Array(100).fill({ n: 150, endpoints: 150 }));
});

test('an event whose day is dropped before it was expanded is expanded to nobody', async () => {
  await accept({ id: 'old-1' });
  const inTenDays = one.context.clock.nowMs() + 10 * 86_400_000;
  await dropOldPartitions(one.context.workerPool, inTenDays, 1, 1);
  expect(await expansionsLeft()).toBe(0);
  await drainAll();
  expect(await query('SELECT 1 FROM mailbox')).toEqual([]);
});
