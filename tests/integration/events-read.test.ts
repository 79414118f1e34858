import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventIdOf, newUuid } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;
const ids: string[] = [];

beforeAll(async () => {
  service = await startTestService();
  for (const id of ['acme', 'other']) await call(service.baseUrl, 'POST', '/v1/tenants', { id });
  for (let i = 0; i < 30; i++) {
    const event = {
      type: i % 5 === 0 ? 'user.deleted' : 'user.created',
      subject: `user/${i % 3}`,
      tenant_id: 'acme',
      data: { i },
    };
    ids.unshift((await post(event)).body.id);
  }
});

afterAll(() => service.stop());

const post = (body: unknown) => call(service.baseUrl, 'POST', '/v1/events', body);
const get = (path: string, tenant = 'acme') => call(service.baseUrl, 'GET', `/v1/tenants/${tenant}/events${path}`);

async function allPages(
  query: string,
  limit: number,
): Promise<{ id: string; accepted_at: string; data: { i: number } }[]> {
  const events = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await get(`?limit=${limit}&${query}${cursor}`);
    expect(status).toBe(200);
    events.push(...body.data);
    if (body.next === null) return events;
    cursor = `&cursor=${body.next}`;
  }
}

test('an event is read back byte for byte as it is delivered, whatever its numbers, with our times at its end', async () => {
  await post(
    '{"tenant_id":"acme","id":"exact-1","type":"exact.one","timestamp":"2024-03-14T10:30:00Z","data":{"n":9007199254740993,"p":1.10,"z":-0},"metadata":{"b":1,"a":2}}',
  );
  const response = await fetch(`${service.baseUrl}/v1/tenants/acme/events/exact-1`, {
    headers: { authorization: `Bearer ${OPERATOR_KEY}` },
  });
  const text = await response.text();
  const stored =
    '{"id":"exact-1","type":"exact.one","version":"1.0","timestamp":"2024-03-14T10:30:00Z","tenant_id":"acme","data":{"n":9007199254740993,"p":1.10,"z":-0},"metadata":{"b":1,"a":2}';
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(text.startsWith(`${stored},"accepted_at":"`)).toBe(true);
  expect(Object.keys(JSON.parse(text)).slice(-2)).toEqual(['accepted_at', 'expunged_at']);
  const list = await fetch(`${service.baseUrl}/v1/tenants/acme/events?type=exact.one`, {
    headers: { authorization: `Bearer ${OPERATOR_KEY}` },
  });
  expect(await list.text()).toBe(`{"data":[${text}],"next":null}`);
});

test.each([1, 4, 250])('events are listed newest first, each once, %i a page', async (limit) => {
  const ours = (await allPages('', limit)).filter(({ id }) => id !== 'exact-1');
  expect(ours.map(({ id }) => id)).toEqual(ids);
  const deleted = await allPages('type=user.deleted', limit);
  expect(deleted.map(({ data }) => data.i)).toEqual([25, 20, 15, 10, 5, 0]);
  const both = await allPages('type=user.deleted&subject=user%2F1', limit);
  expect(both.map(({ data }) => data.i)).toEqual([25, 10]);
});

test('since is included and until is not', async () => {
  const all = await allPages('type=user.created', 250);
  const [since, until] = [all[15]!.accepted_at, all[4]!.accepted_at];
  const wanted = all.filter((event) => event.accepted_at >= since && event.accepted_at < until);
  expect(wanted.length).toBeGreaterThan(0);
  expect(await allPages(`type=user.created&since=${since}&until=${until}`, 3)).toEqual(wanted);
});

test('times finer than a millisecond divide a list so that what lies next to each other has every event once', async () => {
  const all = await allPages('type=user.created', 250);
  const at = all[9]!.accepted_at;
  const later = at.replace('Z', '4Z');
  const [older, newer] = [
    await allPages(`type=user.created&until=${later}`, 250),
    await allPages(`type=user.created&since=${later}`, 250),
  ];
  expect(older.map(({ id }) => id)).toEqual(all.filter((event) => event.accepted_at <= at).map(({ id }) => id));
  expect(newer.map(({ id }) => id)).toEqual(all.filter((event) => event.accepted_at > at).map(({ id }) => id));
});

test('a page of large events is cut short and goes on', async () => {
  const data = 'x'.repeat(200_000);
  for (let i = 0; i < 25; i++) await post({ type: 'large.one', tenant_id: 'other', data });
  const first = await get('?limit=250', 'other');
  expect(first.body.data.length).toBeLessThan(25);
  expect(first.body.next).not.toBeNull();
  let count = first.body.data.length;
  for (let next = first.body.next; next !== null; ) {
    const { body } = await get(`?limit=250&cursor=${next}`, 'other');
    count += body.data.length;
    next = body.next;
  }
  expect(count).toBe(25);
});

test('an event of another tenant is 404, by our id and by the producer’s', async () => {
  expect((await get(`/${ids[0]}`)).status).toBe(200);
  expect((await get(`/${ids[0]}`, 'other')).status).toBe(404);
  expect((await get('/exact-1', 'other')).status).toBe(404);
  expect((await get(`/${ids[0]}/deliveries`, 'other')).status).toBe(404);
});

test('a producer’s id that looks like one of ours names the producer’s event', async () => {
  const id = 'evt_01jz0000007000000000000000';
  await post({ id, type: 'looks.like', tenant_id: 'acme', data: {} });
  expect((await get(`/${id}`)).body).toMatchObject({ id, type: 'looks.like' });
});

test('an event with an id of its producer does not answer to the one that we would have given it', async () => {
  await post({ id: 'mine-1', type: 'has.own', tenant_id: 'acme', data: {} });
  const { rows } = await service.context.apiPool.query(`SELECT id FROM events WHERE external_id = 'mine-1'`);
  expect((await get(`/${eventIdOf(rows[0].id)}`)).status).toBe(404);
});

test('an id that is used again after its claim expired names the newest event', async () => {
  await post({ id: 'again', type: 'first.use', tenant_id: 'acme', data: 1 });
  await service.context.apiPool.query(
    `INSERT INTO events (id, tenant_num, type, external_id, body) SELECT $1, tenant_num, 'second.use', external_id, $2 FROM events WHERE external_id = 'again'`,
    [newUuid(Date.now()), Buffer.from('{"id":"again","type":"second.use","data":2}')],
  );
  expect((await get('/again')).body).toMatchObject({ type: 'second.use', data: 2 });
});

test.each(['a.b', '..', '%2e%2e', 'a%0ab', '%00', 'x'.repeat(257), '%F0%9F%98%80', '%ff'])(
  'an id that can name no event is refused: %s',
  async (id) => {
    const { status } = await get(`/${id}`);
    // `..` is taken out of the path before it is sent: what is left is the list.
    expect(id === '..' || id === '%2e%2e' ? [200, 404] : [400, 404]).toContain(status);
  },
);

test.each([
  'type=a..b',
  'type=',
  'type=A%20B',
  `type=${'t'.repeat(129)}`,
  'subject=',
  'subject=%00',
  'subject=%ff',
  'type=a%C3',
  'colour%ff=1',
  'since=1',
  'until=2024-01-01',
  'until=2024-01-01T00:00:00Z&since=2024-01-01T00:00:01Z',
  'limit=0',
  'cursor=x',
  'status=done',
  'type=a&type=b',
])('a bad query parameter is 422 with its path: %s', async (query) => {
  const answer = await get(`?${query}`);
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].path).toBe(query.split('=')[0]!.replace('%ff', '\ufffd'));
});
