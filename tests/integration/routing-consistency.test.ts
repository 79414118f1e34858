import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let one: TestService;
let other: TestService;

beforeAll(async () => {
  one = await startTestService();
  other = await startTestService({ databaseUrl: one.databaseUrl });
  await call(one.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(async () => {
  await other.stop();
  await one.stop();
});

const post = (service: TestService, type: string) =>
  call(service.baseUrl, 'POST', '/v1/events', { type, tenant_id: 'acme', data: {} });

test('after a subscription change is answered, every process matches later events by the new set', async () => {
  const created = await call(one.baseUrl, 'POST', '/v1/tenants/acme/endpoints', {
    url: 'https://example.com/',
    subscriptions: [{ types: ['round.0'] }],
  });
  expect(created.status).toBe(201);
  for (let round = 1; round <= 40; round++) {
    const changer = round % 2 === 0 ? one : other;
    const types = [`round.${round}`];
    const changed = await call(changer.baseUrl, 'PATCH', `/v1/tenants/acme/endpoints/${created.body.id}`, {
      subscriptions: [{ types }],
    });
    expect(changed.status).toBe(200);
    const answers = await Promise.all(
      [one, other].flatMap((service) => [post(service, `round.${round}`), post(service, `round.${round - 1}`)]),
    );
    expect(answers.map((answer) => answer.body.deliveries)).toEqual([1, 0, 1, 0]);
  }
});

test('events that race a change are each matched by the set before it or the set after it, and never lost', async () => {
  const created = await call(one.baseUrl, 'POST', '/v1/tenants/acme/endpoints', {
    url: 'https://example.com/',
    subscriptions: [{ types: ['race.event'] }],
  });
  const path = `/v1/tenants/acme/endpoints/${created.body.id}`;
  const racing = Array.from({ length: 60 }, (_, i) => post(i % 2 === 0 ? one : other, 'race.event'));
  const flips = (async () => {
    for (let i = 0; i < 10; i++) await call(one.baseUrl, 'PATCH', path, { enabled: i % 2 === 1 });
  })();
  const answers = await Promise.all(racing);
  await flips;
  expect(answers.every((answer) => answer.status === 202)).toBe(true);
  const promised = answers.reduce((sum, answer) => sum + answer.body.deliveries, 0);
  const { rows } = await one.context.apiPool.query(
    `SELECT count(*)::int AS n FROM mailbox m JOIN events e ON e.id = m.event_id WHERE e.type = 'race.event'`,
  );
  expect(rows[0].n).toBe(promised);
});

/** `data` is written as it stands. */
const postData = (service: TestService, data: string, key: string = randomUUID()) =>
  call(service.baseUrl, 'POST', '/v1/events', `{"type":"filtered.event","tenant_id":"acme","data":${data}}`, {
    'idempotency-key': key,
  });

test('after a filter change is answered, every process matches later events by the new filter', async () => {
  const filterOf = (round: number) => ({ data: { round: [{ numeric: ['=', round] }] } });
  const created = await call(one.baseUrl, 'POST', '/v1/tenants/acme/endpoints', {
    url: 'https://example.com/',
    subscriptions: [{ types: ['filtered.*'], filter: filterOf(0) }],
  });
  expect(created.status).toBe(201);
  const path = `/v1/tenants/acme/endpoints/${created.body.id}`;
  for (let round = 1; round <= 40; round++) {
    const changer = round % 2 === 0 ? one : other;
    const changed = await call(changer.baseUrl, 'PATCH', path, {
      subscriptions: [{ types: ['filtered.*'], filter: filterOf(round) }],
    });
    expect(changed.status).toBe(200);
    const answers = await Promise.all(
      [one, other].flatMap((service) => [
        postData(service, `{"round":${round}.0}`),
        postData(service, `{"round":${round - 1}}`),
        postData(service, `{"round":${round}.00000000000000000001}`),
      ]),
    );
    expect(answers.map((answer) => answer.body.deliveries)).toEqual([1, 0, 0, 1, 0, 0]);
  }
  await call(one.baseUrl, 'DELETE', path);
});

test('events that race filter changes on both processes are matched and stored as promised, and after them by the last set', async () => {
  const side = (name: string) => [{ types: ['filtered.*'], filter: { data: { side: [name] } } }];
  const create = async (name: string) => {
    const body = { url: 'https://example.com/', subscriptions: side(name) };
    return (await call(one.baseUrl, 'POST', '/v1/tenants/acme/endpoints', body)).body.id as string;
  };
  // Both change sides again and again, each through a process of its own.
  const ids = [await create('left'), await create('left')];
  let isOver = false;
  const changing = [one, other].map(async (service, i) => {
    for (let round = 0; round < 12; round++) {
      const subscriptions = side(round % 2 === 0 ? 'right' : 'left');
      const path = `/v1/tenants/acme/endpoints/${ids[i]}`;
      expect((await call(service.baseUrl, 'PATCH', path, { subscriptions })).status).toBe(200);
    }
    isOver = i === 1;
  });
  const promised: number[] = [];
  const posting = [one, other, one, other].map(async (service, i) => {
    for (let n = 0; n < 10 || (!isOver && n < 200); n++) {
      // A tenant that changes without a pause may find its events refused for a moment; producers send them again.
      // What a 503 says nothing of may be stored already: the key tells.
      const key = randomUUID();
      const post = () => postData(service, `{"side":"${(n + i) % 2 === 0 ? 'left' : 'right'}"}`, key);
      const answer = await eventually(post, ({ status }) => status !== 503);
      expect(answer.status).toBe(202);
      promised.push(answer.body.deliveries);
    }
  });
  await Promise.all([...changing, ...posting]);
  const { rows } = await one.context.apiPool.query<{ stored: number }>(
    `SELECT count(*)::int AS stored FROM mailbox m JOIN events e ON e.id = m.event_id
      WHERE e.type = 'filtered.event' AND convert_from(e.body, 'UTF8') LIKE '%"side"%'`,
  );
  expect(rows[0]!.stored).toBe(promised.reduce((sum, deliveries) => sum + deliveries, 0));
  const after = await Promise.all(['left', 'right'].map((name) => postData(other, `{"side":"${name}"}`)));
  expect(after.map(({ body }) => body.deliveries)).toEqual([2, 0]);
});

test('an event for a tenant that was deleted elsewhere is 404 and stores nothing', async () => {
  await call(one.baseUrl, 'POST', '/v1/tenants', { id: 'gone' });
  const event = { type: 'late.event', tenant_id: 'gone', data: {} };
  expect((await call(other.baseUrl, 'POST', '/v1/events', event)).status).toBe(202);
  expect((await call(one.baseUrl, 'DELETE', '/v1/tenants/gone')).status).toBe(204);
  expect(await call(other.baseUrl, 'POST', '/v1/events', event)).toMatchObject({
    status: 404,
    body: { code: 'tenant_not_found' },
  });
  const { rows } = await one.context.apiPool.query(`SELECT count(*)::int AS n FROM events WHERE type = 'late.event'`);
  expect(rows[0].n).toBe(1);
});
