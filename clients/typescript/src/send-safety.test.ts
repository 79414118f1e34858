import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NewEvent } from './api.ts';
import { PosthornError } from './errors.ts';
import { accepts, json, problem, type SeenRequest } from './fixtures/fake-server.ts';
import { event, many, settled, startClient, statusesOf } from './fixtures/sending.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lost = () => {
  throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
};

const NUMBERS = ['maxAttempts', 'timeoutSeconds', 'deadlineSeconds', 'maxBatchEvents', 'maxBatchBytes'] as const;

test.each(NUMBERS)('%s is a number above 0, or it is said at once', async (name) => {
  for (const value of [0, -1, Number.NaN, null, '5']) {
    const make = () => startClient(accepts, { [name]: value as number });
    expect(make).toThrow(new RegExp(`^${name} is .*: expected`));
  }
  if (!name.endsWith('Seconds'))
    for (const value of [1.5, Number.POSITIVE_INFINITY])
      expect(() => startClient(accepts, { [name]: value })).toThrow(RangeError);
  expect(() => startClient(accepts, { [name]: undefined })).not.toThrow();
});

test('a deadline of a call that is none is said before anything is sent', async () => {
  const { client, requests } = startClient(accepts);
  for (const deadlineSeconds of [0, Number.NaN]) {
    await expect(client.send(event, { deadlineSeconds })).rejects.toThrow(RangeError);
    await expect(client.request('GET /v1/tenants', { deadlineSeconds })).rejects.toThrow(RangeError);
  }
  expect(requests).toEqual([]);
});

test('an event is what its JSON says, with an id in any case', async () => {
  class Captured {
    type = 'captured';
    data = 1;
    id = 'hidden';
    toJSON() {
      return { type: this.type, data: this.data };
    }
  }
  const { client, texts } = startClient(accepts);
  const inherits = Object.assign(Object.create({ id: 'inherited' }), event);
  const { value } = await settled(client.send([new Captured(), inherits]));
  const sent = JSON.parse(texts()[0]!);
  for (const { id } of sent) expect(id).toMatch(/^[0-9a-f]{8}-/);
  expect(value?.map(({ event: each }) => each)).toEqual(sent);
});

test('an event of an outcome is what was sent, whatever became of the given one', async () => {
  const given = { type: 'a', id: 'own', data: { n: 1 } };
  const { client } = startClient(() => {
    given.data.n = 2;
    return problem(401, 'unauthorized');
  });
  const { error } = await settled(client.send(given));
  expect(error?.undecided).toEqual([{ type: 'a', id: 'own', data: { n: 1 } }]);
});

test('numbers with more digits than a double stay as they are written', async () => {
  const { client, texts } = startClient(accepts);
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
  await settled(client.send({ type: 'a', data: rawJSON('12345678901234567891') }));
  expect(texts()[0]).toMatch(/^\{"type":"a","data":12345678901234567891,"id":"[0-9a-f-]{36}"\}$/);
});

test.each([
  ['NaN', { ...event, data: { n: Number.NaN } }],
  ['an infinity', { ...event, data: [Number.POSITIVE_INFINITY] }],
  ['no date', { ...event, data: { at: new Date(Number.NaN) } }],
  ['a function', { ...event, data: { n: () => 1 } }],
  ['a symbol', { ...event, data: Symbol('a') }],
  ['a Map', { ...event, data: { by: new Map([[1, 2]]) } }],
  ['a Set', { ...event, data: new Set([1]) }],
  ['a Promise', { ...event, data: Promise.resolve(1) }],
  ['a gap', { ...event, data: [undefined] }],
  ['no object', 'event'],
  ['nothing', undefined],
  ['nothing in JSON', { ...event, toJSON: () => undefined }],
  ['no type of its own', Object.create(event)],
  ['an array', [event]],
])('%s is a TypeError that says which event, before anything is sent', async (_, bad) => {
  const { client, requests } = startClient(accepts);
  const { error } = await settled(client.send([event, bad as NewEvent]));
  expect(error).toBeInstanceOf(TypeError);
  expect(error?.message).toMatch(/^Event 1 is no /);
  expect(requests).toEqual([]);
});

test('an undefined member is none', async () => {
  const { client, texts } = startClient(accepts);
  await settled(client.send({ ...event, id: 'e', subject: undefined }));
  expect(JSON.parse(texts()[0]!)).toEqual({ ...event, id: 'e' });
});

test('a reason for an abort is no answer, of whatever class', async () => {
  const controller = new AbortController();
  const { client } = startClient(() => new Promise<Response>(() => {}));
  setTimeout(() => controller.abort(new PosthornError({ status: 422, code: 'invalid_event' })), 1_000);
  const { error } = await settled(client.send([event, event], { signal: controller.signal }));
  expect(statusesOf(error)).toEqual(['undecided', 'undecided']);
});

test.each([
  ['no answer', lost],
  ['503 of a proxy', () => new Response('', { status: 503 })],
  ['a database that did not answer', () => problem(503, 'unavailable')],
])('a refusal after %s does not say that the event is not stored', async (_, first) => {
  const errors = [{ path: '1.type', message: 'is not registered' }];
  const { client } = startClient((request, i) =>
    i === 0 ? first() : i === 1 ? problem(422, 'invalid_batch', { errors }) : accepts(request),
  );
  const { error } = await settled(client.send(many(3)));
  expect(statusesOf(error)).toEqual(['accepted', 'undecided', 'accepted']);
  expect(error?.cause).toMatchObject({ code: 'invalid_batch', mayHaveArrived: true });
});

test('a refusal in a smaller request does not say so either', async () => {
  const { client } = startClient((request, i) =>
    i === 0 ? lost() : request.body!.includes('"e1"') ? problem(422, 'too_deep') : accepts(request),
  );
  const { error } = await settled(client.send(many(2)));
  expect(statusesOf(error)).toEqual(['accepted', 'undecided']);
});

test('a refusal after tries that did nothing is one', async () => {
  const { client } = startClient((_, i) => (i === 0 ? problem(503, 'overloaded') : problem(422, 'invalid_event')));
  const { error } = await settled(client.send(event));
  expect(statusesOf(error)).toEqual(['refused']);
});

test('the last failure tells of all tries, at the deadline too', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const { client } = startClient((_, i) => {
    if (i === 0) return lost();
    throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
  });
  const { error } = await settled(client.send(event, { deadlineSeconds: 3 }));
  const message = expect.stringContaining('ECONNREFUSED');
  expect(error?.cause).toMatchObject({ name: 'NoAnswerError', mayHaveArrived: true, message });
});

test('an answer about another event, or that says neither accepted nor duplicate, is none', async () => {
  const said = async (given: NewEvent, item: object) => {
    const { client } = startClient(() => json(202, { deliveries: 0, ...item }));
    return (await settled(client.send(given))).value?.id ?? 'undecided';
  };
  const keyed: NewEvent = { ...event, metadata: { idempotency_key: 'k' } };
  expect(await said({ ...event, id: 'e' }, { id: 'other', status: 'accepted' })).toBe('undecided');
  expect(await said({ ...event, id: 'e' }, { id: 'e', status: 'refused' })).toBe('undecided');
  expect(await said({ ...event, id: 'e' }, { id: 'e', status: 'duplicate' })).toBe('e');
  expect(await said(keyed, { id: 'made', status: 'accepted' })).toBe('made');
  expect(await said({ ...keyed, id: 'e' }, { id: 'other', status: 'accepted' })).toBe('undecided');
  expect(await said({ ...keyed, id: 'e' }, { id: 'first', status: 'duplicate' })).toBe('first');
});

test.each([
  ['for a tenant that is not there', () => problem(404, 'tenant_not_found'), 'tenant_not_found'],
  ['over the burst of its tenant', () => problem(413, 'over_burst'), 'over_burst'],
  ['too large for a proxy', () => new Response('<html>', { status: 413 }), null],
  ['too large for a gateway that has codes of its own', () => problem(413, 'content_too_large'), null],
])('an event %s may be taken later, and holds up no other', async (_, refuse, code) => {
  const { client } = startClient((request) => (request.body!.includes('"e0"') ? refuse() : accepts(request)));
  const { error } = await settled(client.send(many(2)));
  expect(statusesOf(error)).toEqual(['undecided', 'accepted']);
  expect(error?.outcomes[0]).toMatchObject({ code });
});

test('an event of a batch for a tenant that is not there may be taken later', async () => {
  const errors = [{ path: '0.tenant_id', message: 'no such tenant', code: 'tenant_not_found' }];
  const { client } = startClient((request, i) =>
    i === 0 ? problem(422, 'invalid_batch', { errors }) : accepts(request),
  );
  const { error } = await settled(client.send(many(2)));
  expect(statusesOf(error)).toEqual(['undecided', 'accepted']);
  expect(error?.outcomes[0]).toMatchObject({ code: 'tenant_not_found' });
});

test('one event that is too large by itself makes no later request smaller', async () => {
  const proxy = (request: SeenRequest) =>
    request.body!.length > 5_000 ? new Response('', { status: 413 }) : accepts(request);
  const { client, texts } = startClient(proxy, { maxBatchEvents: 8 });
  const events = many(32).map((each, n) => (n === 1 ? { ...each, data: 'x'.repeat(6_000) } : each));
  const { error } = await settled(client.send(events));
  expect(statusesOf(error)?.filter((status) => status === 'accepted')).toHaveLength(31);
  const sizes = texts().map((body) => (body!.startsWith('[') ? JSON.parse(body!).length : 1));
  expect(sizes).toEqual([8, 4, 2, 1, 1, 2, 4, 8, 8, 8]);
});
