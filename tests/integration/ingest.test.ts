import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

const post = (body: unknown, headers?: Record<string, string>) =>
  call(service.baseUrl, 'POST', '/v1/events', body, headers);

async function storedEvents(type: string): Promise<{ id: string; body: string }[]> {
  const { rows } = await service.context.apiPool.query(
    'SELECT external_id AS id, convert_from(body, $2) AS body FROM events WHERE type = $1',
    [type, 'UTF8'],
  );
  return rows;
}

test('an accepted event is stored once, in the contract’s key order, with the producer’s numbers unharmed', async () => {
  const answer = await post(
    '{ "metadata" : {"b":1, "a" : -0}, "data": {"big": 9007199254740993, "price":1.10, "s": "a b\\u0000"},\n "type":"exact.numbers","tenant_id":"acme", "id":"e-1", "timestamp": "2024-03-14T10:30:00+02:00" }',
  );
  expect(answer).toMatchObject({ status: 202, body: { id: 'e-1', status: 'accepted', deliveries: 0 } });
  expect(await storedEvents('exact.numbers')).toEqual([
    {
      id: 'e-1',
      body: '{"id":"e-1","type":"exact.numbers","version":"1.0","timestamp":"2024-03-14T10:30:00+02:00","tenant_id":"acme","data":{"big":9007199254740993,"price":1.10,"s":"a b\\u0000"},"metadata":{"b":1,"a":-0}}',
    },
  ]);
});

test('G1: fifty posts of one key at once store one event and all get its id', async () => {
  const body = { type: 'fifty.posts', tenant_id: 'acme', data: {}, metadata: { idempotency_key: 'k-50' } };
  const answers = await Promise.all(Array.from({ length: 50 }, () => post(body)));
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.body.status === 'accepted')).toHaveLength(1);
  expect(answers.every((answer) => answer.status === 202)).toBe(true);
  expect(await storedEvents('fifty.posts')).toHaveLength(1);
});

test('the same key with another body is 409 and stores nothing', async () => {
  const event = { type: 'conflict.key', tenant_id: 'acme', data: { n: 1 } };
  expect((await post(event, { 'idempotency-key': 'c-1' })).body.status).toBe('accepted');
  expect((await post(event, { 'idempotency-key': '"c-1"' })).body.status).toBe('duplicate');
  expect(await post({ ...event, data: { n: 2 } }, { 'idempotency-key': 'c-1' })).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict' },
  });
  expect(await storedEvents('conflict.key')).toHaveLength(1);
});

test('G1: an id that Posthorn gave to an event is no other event of its tenant; one of the same form that it did not give is as good as any', async () => {
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'other' });
  const event = { type: 'made.id', tenant_id: 'acme', data: 1 };
  const { id } = (await post(event)).body;
  expect(await post({ ...event, id })).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  expect(await post([event, { ...event, id, metadata: { idempotency_key: 'made' } }])).toMatchObject({
    status: 422,
    body: { errors: [{ path: '1.id' }] },
  });
  expect(await storedEvents('made.id')).toHaveLength(1);
  const elsewhere = { ...event, id, tenant_id: 'other' };
  expect(await post(elsewhere)).toMatchObject({ status: 202, body: { id, status: 'accepted' } });
  expect(await post(elsewhere)).toMatchObject({ status: 202, body: { id, status: 'duplicate' } });
});

test('in a batch each fault has the code that its event is refused with alone', async () => {
  const good = { type: 'batch.codes', tenant_id: 'acme', data: {} };
  await post({ ...good, id: 'taken' });
  const bad = [
    { ...good, type: 'A B' },
    { ...good, data: 'x'.repeat(300_000) },
    { ...good, data: 'é'.repeat(140_000) },
    { ...good, tenant_id: 'nobody' },
    Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`field${i}`, i])),
  ];
  const conflicting = { ...good, id: 'taken', data: 1 };
  const alone = await Promise.all([...bad, conflicting].map((event) => post(event)));
  const codesOf = async (events: unknown[], headers = {}) =>
    (await post(events, headers)).body.errors.map(({ path, code }: Record<'path' | 'code', string>) => [
      path.split('.')[0],
      code,
    ]);
  expect(await codesOf(bad)).toEqual(bad.map((_, i) => [`${i}`, alone[i]!.body.code]));
  expect(new Set(alone.map(({ body }) => body.code)).size).toBe(4);
  expect(await codesOf([good, conflicting])).toEqual([['1', 'idempotency_conflict']]);
  const cloud = { specversion: '1.0', id: 'c', source: '/s', type: 'batch.codes', data: 'x'.repeat(2_000_000) };
  expect(await codesOf([cloud], { 'content-type': 'application/cloudevents-batch+json' })).toEqual([
    ['0', 'too_large'],
  ]);
});

test('a key that came with an event that was stored already, by its id, stands for that event from then on', async () => {
  const event = { type: 'late.key', tenant_id: 'acme', id: 'late', data: 1 };
  const key = { 'idempotency-key': 'late-key' };
  expect((await post(event)).body.status).toBe('accepted');
  expect((await post(event, key)).body).toMatchObject({ id: 'late', status: 'duplicate' });
  expect((await post(event, key)).body).toMatchObject({ id: 'late', status: 'duplicate' });
  const other = { ...event, id: 'other' };
  expect(await post(other, key)).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  expect(await storedEvents('late.key')).toHaveLength(1);
});

test('a batch is stored whole or not at all, and names each bad index', async () => {
  const good = { type: 'batch.whole', tenant_id: 'acme', data: {} };
  const bad = await post([good, { ...good, type: 'A B' }, { ...good, color: 'red' }]);
  expect(bad.status).toBe(422);
  expect(bad.body.errors.map((fault: { path: string }) => fault.path)).toEqual(['1.type', '2.color']);
  expect(await storedEvents('batch.whole')).toHaveLength(0);
  const whole = await post([good, { ...good, id: 'b-1' }, { ...good, id: 'b-1' }]);
  expect(whole.body).toMatchObject({ accepted: 2, duplicates: 1 });
  expect(await storedEvents('batch.whole')).toHaveLength(2);
});

test('a refused batch names every event that is at fault, also what is in conflict with what is stored or with another of it', async () => {
  const good = { type: 'batch.all', tenant_id: 'acme', data: {} };
  const { id } = (await post(good)).body;
  await post({ ...good, id: 'held' });
  const faultsOf = async (events: unknown[]) =>
    (await post(events)).body.errors.map(({ path, code }: Record<'path' | 'code', string>) => [path, code]);
  const conflicting = { ...good, id: 'held', data: 1 };
  const twice = [
    { ...good, id: 'twice' },
    { ...good, id: 'twice', data: 1 },
  ];
  const all = [good, conflicting, { ...good, type: 'A B' }, { ...good, id }, ...twice, { ...good, id: 'held' }];
  const conflict = 'idempotency_conflict';
  expect(await faultsOf(all)).toEqual([
    ['1', conflict],
    ['2.type', 'invalid_event'],
    ['3.id', conflict],
    ['5', conflict],
  ]);
  expect(await faultsOf(all.filter((_, i) => i !== 2))).toEqual([
    ['1', conflict],
    ['2.id', conflict],
    ['4', conflict],
  ]);
  expect(await storedEvents('batch.all')).toHaveLength(2);
});

test('NDJSON is a batch of its lines', async () => {
  const line = JSON.stringify({ type: 'nd.json', tenant_id: 'acme', data: { text: 'ü' } });
  const answer = await post(`${line}\n\n${line}\r\n`, { 'content-type': 'application/x-ndjson' });
  expect(answer).toMatchObject({ status: 202, body: { accepted: 2 } });
  expect(await post(`${line}\n{"type":`, { 'content-type': 'application/x-ndjson' })).toMatchObject({ status: 400 });
  expect(await storedEvents('nd.json')).toHaveLength(2);
});
