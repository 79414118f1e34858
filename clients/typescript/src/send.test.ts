import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { accepts, json, problem } from './fixtures/fake-server.ts';
import { event, many, settled, startClient, statusesOf } from './fixtures/sending.ts';
import { SendError } from './send-error.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** With what was sent, read. */
function startReading(...given: Parameters<typeof startClient>) {
  const { texts, ...client } = startClient(...given);
  const bodies = () => texts().map((text) => JSON.parse(text!));
  const idsSent = () => bodies().map((body) => (Array.isArray(body) ? body.map(({ id }) => id) : body.id));
  return { ...client, bodies, idsSent };
}

test('an event without an id gets one before the first try, and has the same at every other', async () => {
  const { client, bodies } = startReading((request, i) => {
    if (i === 0) throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
    return i === 1 ? problem(503, 'storage_unavailable', { retryAfter: '1' }) : accepts(request);
  });
  const { value } = await settled(client.send(event));
  expect(bodies()).toHaveLength(3);
  expect(new Set(bodies().map(({ id }) => id)).size).toBe(1);
  expect(value).toMatchObject({ status: 'accepted', id: bodies()[0].id, event: { ...event, id: bodies()[0].id } });
  expect(value?.id).toMatch(/^0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(event).not.toHaveProperty('id');
});

test('an id or an idempotency key of the caller stays the only one', async () => {
  const { client, bodies } = startReading(accepts);
  await settled(client.send({ ...event, id: 'own' }));
  await settled(client.send({ ...event, metadata: { idempotency_key: 'key' } }));
  expect(bodies()).toEqual([
    { ...event, id: 'own' },
    { ...event, metadata: { idempotency_key: 'key' } },
  ]);
});

test.each(['429', '503'])('%s is tried again after Retry-After, not before', async (status) => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const code = status === '429' ? 'rate_limited' : 'overloaded';
  const { client, requests } = startReading((request, i) =>
    i < 2 ? problem(Number(status), code, { retryAfter: '7' }) : accepts(request),
  );
  const startMs = Date.now();
  await settled(client.send(event));
  expect(requests.map(({ atMs }) => atMs - startMs)).toEqual([0, 7_000, 14_000]);
});

test('it gives up when the deadline would pass before the next try, and says so at once', async () => {
  const { client, requests } = startReading(() => problem(429, 'rate_limited', { retryAfter: '60' }));
  const startMs = Date.now();
  const { error } = await settled(client.send(event, { deadlineSeconds: 30 }));
  expect(error).toBeInstanceOf(SendError);
  expect(error?.outcomes[0]).toMatchObject({ status: 'undecided', error: { code: 'rate_limited' } });
  expect(Date.now() - startMs).toBe(0);
  expect(requests).toHaveLength(1);
});

test('tries are bounded, and one that is not answered ends', async () => {
  const { client, requests } = startReading(() => new Promise<Response>(() => {}), {
    maxAttempts: 3,
    timeoutSeconds: 5,
  });
  const { error } = await settled(client.send(event));
  expect(requests).toHaveLength(3);
  expect(error?.cause).toMatchObject({ name: 'NoAnswerError', mayHaveArrived: true });
  expect(error?.undecided).toEqual([{ ...event, id: expect.any(String) }]);
});

test('what can never pass is sent once', async () => {
  const errors = [{ path: 'type', message: 'is required' }];
  const { client, requests } = startReading(() => problem(422, 'invalid_event', { errors }));
  const { error } = await settled(client.send(event));
  expect(requests).toHaveLength(1);
  expect(error?.outcomes).toEqual([
    {
      status: 'refused',
      event: expect.anything(),
      text: requests[0]!.body,
      code: 'invalid_event',
      error: expect.objectContaining({ status: 422 }),
      faults: errors,
    },
  ]);
});

test('an array goes in requests of so many events and bytes, in its order', async () => {
  const { client, idsSent, requests } = startReading(accepts, { maxBatchEvents: 3, maxBatchBytes: 200 });
  const events = many(7).map((each, n) => ({ ...each, data: n === 3 ? 'é'.repeat(65) : n }));
  const { value } = await settled(client.send(events));
  expect(idsSent()).toEqual([['e0', 'e1', 'e2'], 'e3', ['e4', 'e5', 'e6']]);
  for (const { body } of requests) expect(Buffer.byteLength(body!)).toBeLessThanOrEqual(200);
  expect(value?.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  expect((await settled(client.send([]))).value).toEqual([]);
});

test('events of a batch that are refused do not hold up the others', async () => {
  const errors = [
    { path: '1.type', message: 'is required' },
    { path: '3', message: 'conflict' },
  ];
  const { client, idsSent } = startReading((request, i) =>
    i === 0 ? problem(422, 'invalid_batch', { errors }) : accepts(request),
  );
  const { error } = await settled(client.send(many(4)));
  expect(idsSent()).toEqual([
    ['e0', 'e1', 'e2', 'e3'],
    ['e0', 'e2'],
  ]);
  expect(statusesOf(error)).toEqual(['accepted', 'refused', 'accepted', 'refused']);
  expect(error?.outcomes[1]).toMatchObject({ faults: [{ path: 'type', message: 'is required' }] });
  expect(error?.outcomes[3]).toMatchObject({ faults: [{ path: '', message: 'conflict' }] });
  expect(error?.undecided).toEqual([]);
});

test('the code says why an event is refused, the same alone and among others', async () => {
  const fault = { path: '', message: 'another has its id' };
  const { client } = startReading(({ body }) =>
    body!.startsWith('[')
      ? problem(422, 'invalid_batch', { errors: [{ ...fault, path: '0', code: 'idempotency_conflict' }] })
      : problem(409, 'idempotency_conflict', { errors: [fault] }),
  );
  for (const events of [many(1), many(2)]) {
    const { error } = await settled(client.send(events));
    expect(error?.outcomes[0]).toMatchObject({ status: 'refused', code: 'idempotency_conflict', faults: [fault] });
  }
});

test('the message says how many are stored, and what is wrong with the first that is not', async () => {
  const refusal = () =>
    problem(422, 'invalid_batch', {
      errors: [{ path: '1.data.n', message: 'expected a text', code: 'invalid_event' }],
    });
  const refused = startReading((request, i) => (i === 0 ? refusal() : accepts(request)));
  expect((await settled(refused.client.send(many(3)))).error?.message).toBe(
    '2 of 3 events stored, 1 refused, 0 undecided. Event 1 is refused with invalid_event: data.n: expected a text',
  );
  const away = startReading(() => problem(401, 'unauthorized'));
  expect((await settled(away.client.send(many(2)))).error?.message).toBe(
    '0 of 2 events stored, 0 refused, 2 undecided. 401 unauthorized: Detail.',
  );
});

test('a batch that is too large is split, and those behind it are not made as large again', async () => {
  const tooLarge = (body: string) => JSON.parse(body).length > 2;
  const { client, idsSent } = startReading((request) =>
    tooLarge(request.body!) ? new Response('<html>', { status: 413 }) : accepts(request),
  );
  const { value } = await settled(client.send(many(8)));
  expect(value).toHaveLength(8);
  expect(idsSent().map((ids) => ids.length)).toEqual([8, 4, 2, 2, 2, 2]);
});

test('an event at fault that nobody names is found, and the batches behind it stay whole', async () => {
  const { client, idsSent } = startReading(
    (request) => (request.body!.includes('"e1"') ? problem(422, 'too_deep') : accepts(request)),
    { maxBatchEvents: 4 },
  );
  const { error } = await settled(client.send(many(8)));
  expect(statusesOf(error)).toEqual(['accepted', 'refused', ...Array(6).fill('accepted')]);
  expect(idsSent().at(-1)).toEqual(['e4', 'e5', 'e6', 'e7']);
});

test('an event that filters take too long for is refused, though a batch names one such event at a time, and the others are stored', async () => {
  const { client } = startReading((request) => {
    const body = JSON.parse(request.body!);
    const events: { id: string }[] = [body].flat();
    const at = events.findIndex(({ id }) => id === 'e1' || id === 'e3');
    if (at === -1) return accepts(request);
    if (!Array.isArray(body)) return problem(422, 'too_costly_to_route');
    return problem(422, 'invalid_batch', { errors: [{ path: `${at}`, message: '', code: 'too_costly_to_route' }] });
  });
  const { error } = await settled(client.send(many(5)));
  expect(statusesOf(error)).toEqual(['accepted', 'refused', 'accepted', 'refused', 'accepted']);
  const alone = await settled(client.send(many(2)[1]!));
  expect(statusesOf(alone.error)).toEqual(['refused']);
});

test('a call that is refused is not made for every batch, and leaves what was not stored to be sent again', async () => {
  const { client, requests } = startReading(
    (request, i) => (i === 0 ? accepts(request) : problem(401, 'unauthorized')),
    {
      maxBatchEvents: 2,
    },
  );
  const { error } = await settled(client.send(many(6)));
  expect(requests).toHaveLength(2);
  expect(statusesOf(error)).toEqual(['accepted', 'accepted', ...Array(4).fill('undecided')]);
});

test('behind a request of which nobody knows what became, none is sent', async () => {
  const { client, requests } = startReading((request, i) => (i === 0 ? accepts(request) : problem(500, 'internal')), {
    maxBatchEvents: 2,
    maxAttempts: 1,
  });
  const { error } = await settled(client.send(many(6)));
  expect(requests).toHaveLength(2);
  expect(error?.undecided.map(({ id }) => id)).toEqual(['e2', 'e3', 'e4', 'e5']);
});

test('an answer that does not say what became of each event is none', async () => {
  const { client, requests } = startReading((request, i) =>
    i === 0 ? new Response('welcome', { status: 200 }) : i === 1 ? json(202, { items: [] }) : accepts(request),
  );
  const { error } = await settled(client.send(many(2), { deadlineSeconds: 30 }));
  expect(statusesOf(error)).toEqual(['undecided', 'undecided']);
  expect(requests).toHaveLength(2);
});

test('an abort ends it in the midst of a try and of a wait, and says what was stored', async () => {
  const controller = new AbortController();
  const { client } = startReading(
    (request, i) => (i === 0 ? accepts(request) : problem(429, 'rate_limited', { retryAfter: '10' })),
    { maxBatchEvents: 1 },
  );
  setTimeout(() => controller.abort(new Error('enough')), 5_000);
  const { error } = await settled(client.send(many(2), { signal: controller.signal }));
  expect(statusesOf(error)).toEqual(['accepted', 'undecided']);
  expect(error?.cause).toEqual(new Error('enough'));
  expect(vi.getTimerCount()).toBe(0);
});

test('what is no JSON is refused before anything is sent', async () => {
  const { client, requests } = startReading(accepts);
  const { error } = await settled(client.send([event, { type: 'a', data: 1n }]));
  expect(error).toBeInstanceOf(TypeError);
  expect(requests).toEqual([]);
});
