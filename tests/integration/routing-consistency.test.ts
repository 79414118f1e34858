import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
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
