import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { laneAtWork, ownerAmong, takenOver } from '../support/lane-owner.ts';
import { type ReceiverPaths, receiverPaths } from '../support/receiver-paths.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { createEndpoint, openStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;
let worker: ServiceProcess;

beforeAll(async () => {
  stage = await openStage();
  receiver = receiverPaths(stage.receiver);
  api = (await stage.start('api')).baseUrl;
  worker = await stage.start('worker');
});

afterAll(() => stage.close());

interface Given {
  readonly order: 'endpoint' | 'subject';
  readonly on_dead_letter?: 'pause';
  readonly retry_schedule: readonly number[];
}

const endpointOf = (name: string, given: Given) =>
  createEndpoint(api, { url: receiver.url(`/${name}`), ...given }, name);

/** Accepts events one batch after the other: their numbers are their order. */
async function post(tenant: string, from: number, to: number, subjectOf: (n: number) => string | undefined) {
  const events = Array.from({ length: to - from }, (_, i) => ({
    type: 'a.b',
    tenant_id: tenant,
    subject: subjectOf(from + i),
    data: { n: from + i },
  }));
  const { status, body } = await call(api, 'POST', '/v1/events', events);
  expect(status).toBe(202);
  return body.items as { id: string }[];
}

interface Received {
  readonly n: number;
  readonly subject: string | undefined;
  readonly status: number;
}

/** So many requests are answered at once, those after them not before something has happened. */
interface Hold {
  readonly after: number;
  readonly until: Promise<void>;
}

/** Answers as told and keeps the numbers in the order in which the requests came. */
function record(name: string, statusOf: (n: number, tries: number) => number, hold?: Hold): Received[] {
  const received: Received[] = [];
  const tries = new Map<number, number>();
  receiver.behave(`/${name}`, (request, response) => {
    const { data, subject } = JSON.parse(request.body.toString());
    const attempt = (tries.get(data.n) ?? 0) + 1;
    tries.set(data.n, attempt);
    const status = statusOf(data.n, attempt);
    received.push({ n: data.n, subject, status });
    const answer = () => void response.writeHead(status).end();
    if (hold !== undefined && received.length > hold.after) void hold.until.then(answer);
    else answer();
  });
  return received;
}

const delivered = (received: readonly Received[]) => [
  ...new Set(received.filter(({ status }) => status === 200).map(({ n }) => n)),
];

function inversionsOf(numbers: readonly number[]): number {
  return numbers.filter((n, i) => i > 0 && numbers[i - 1]! > n).length;
}

const subject = (n: number) => `order-${n % 7}`;

test('G5: subjects come in the order of acceptance, across failures, retries and a killed worker; one does not wait for another', async () => {
  await endpointOf('subjects', { order: 'subject', retry_schedule: [0, 1, 1, 1, 1, 1, 1, 1] });
  const taken = Promise.withResolvers<void>();
  // Every tenth fails once; that is too few for the breaker. Whoever has the lane dies with requests under way.
  const statusOf = (n: number, tries: number) => (n % 10 === 3 && tries === 1 ? 500 : 200);
  const received = record('subjects', statusOf, { after: 60, until: taken.promise });
  const workers = [worker, await stage.start('worker')];
  for (let n = 0; n < 280; n += 20) await post('subjects', n, n + 20, subject);
  await eventually(
    async () => received.length,
    (count) => count > 60,
  );
  const before = await laneAtWork(stage.query);
  await (await ownerAmong(workers)).kill('SIGKILL');
  await takenOver(stage.query, before);
  taken.resolve();
  await eventually(
    async () => delivered(received).length,
    (count) => count === 280,
  );
  const bySubject = Map.groupBy(delivered(received), subject);
  expect(bySubject.size).toBe(7);
  for (const numbers of bySubject.values()) expect(inversionsOf(numbers)).toBe(0);
});

test('G5: with order "endpoint" nothing overtakes a delivery that is being retried', async () => {
  await endpointOf('whole', { order: 'endpoint', retry_schedule: [0, 1, 1] });
  const received = record('whole', (n, tries) => (n === 1 && tries < 3 ? 500 : 200));
  await post('whole', 0, 6, () => undefined);
  await eventually(
    async () => delivered(received).length,
    (count) => count === 6,
  );
  expect(received.map(({ n }) => n)).toEqual([0, 1, 1, 1, 2, 3, 4, 5]);
});

test('after a dead letter the next one goes on', async () => {
  await endpointOf('goes-on', { order: 'endpoint', retry_schedule: [0] });
  const received = record('goes-on', (n) => (n === 0 ? 500 : 200));
  await post('goes-on', 0, 3, () => undefined);
  await eventually(
    async () => delivered(received),
    (numbers) => numbers.length === 2,
  );
  expect(received.map(({ n }) => n)).toEqual([0, 1, 2]);
});

interface Waiting {
  readonly next_attempt_at: string | null;
}

const pausedKeys = async (tenant: string, id: string) =>
  (await call(api, 'GET', `/v1/tenants/${tenant}/endpoints/${id}/paused-keys`)).body.data;

test('with on_dead_letter "pause" a key waits for a person, others do not, and the dead letter that is retried goes first', async () => {
  const { id } = await endpointOf('pauses', { order: 'subject', on_dead_letter: 'pause', retry_schedule: [0] });
  const received = record('pauses', (n, tries) => (n === 0 && tries === 1 ? 500 : 200));
  await post('pauses', 0, 6, (n) => (n % 2 === 0 ? 'even' : 'odd'));
  const paused = await eventually(
    () => pausedKeys('pauses', id),
    (keys) => keys.length === 1,
  );
  expect(paused).toMatchObject([{ subject: 'even' }]);
  await eventually(
    async () => delivered(received).length,
    (count) => count === 3,
  );
  const waiting = async () => (await call(api, 'GET', `/v1/tenants/pauses/deliveries?status=pending`)).body.data;
  await eventually(
    waiting,
    (found) => found.length === 2 && found.every(({ next_attempt_at }: Waiting) => next_attempt_at === null),
  );
  const retried = await call(api, 'POST', `/v1/tenants/pauses/deliveries/${paused[0].delivery_id}/retry`);
  expect(retried.status).toBe(202);
  await eventually(
    async () => delivered(received).length,
    (count) => count === 6,
  );
  expect(received.filter(({ n }) => n % 2 === 0).map(({ n }) => n)).toEqual([0, 0, 2, 4]);
  expect(await pausedKeys('pauses', id)).toEqual([]);
});

test('a paused key that is resumed goes on without its dead letter', async () => {
  const { id } = await endpointOf('resumes', { order: 'subject', on_dead_letter: 'pause', retry_schedule: [0] });
  // As long as may be, and to be taken as it is.
  const subject = ` ${'s'.repeat(255)}`;
  const received = record('resumes', (n) => (n === 0 ? 500 : 200));
  await post('resumes', 0, 4, () => subject);
  await eventually(
    () => pausedKeys('resumes', id),
    (keys) => keys.length === 1,
  );
  const path = `/v1/tenants/resumes/endpoints/${id}/paused-keys/resume`;
  expect((await call(api, 'POST', path, { subject: 'another' })).body).toEqual({ resumed: 0 });
  expect((await call(api, 'POST', path, { subject })).body).toEqual({ resumed: 1 });
  await eventually(
    async () => delivered(received).length,
    (count) => count === 3,
  );
  expect(received.map(({ n }) => n)).toEqual([0, 1, 2, 3]);
});

test('a delivery that is cancelled while it waits for its retry lets the next one go', async () => {
  const { id } = await endpointOf('cancels', { order: 'endpoint', retry_schedule: [0, 3_600] });
  const received = record('cancels', (n) => (n === 0 ? 500 : 200));
  await post('cancels', 0, 3, () => undefined);
  const [first] = await eventually(
    async () => (await call(api, 'GET', `/v1/tenants/cancels/deliveries?status=retrying&endpoint_id=${id}`)).body.data,
    (data) => data.length === 1,
  );
  expect((await call(api, 'POST', `/v1/tenants/cancels/deliveries/${first.id}/cancel`)).status).toBe(202);
  await eventually(
    async () => delivered(received).length,
    (count) => count === 2,
  );
  expect(received.map(({ n }) => n)).toEqual([0, 1, 2]);
});

test('a replay to an ordered endpoint comes in order too', async () => {
  const { id } = await endpointOf('replays', { order: 'endpoint', retry_schedule: [0] });
  const received = record('replays', (_n, tries) => (tries === 1 ? 500 : 200));
  for (let n = 0; n < 8; n++) await post('replays', n, n + 1, () => undefined);
  const dead = `/v1/tenants/replays/deliveries?status=dead_lettered&endpoint_id=${id}`;
  await eventually(
    async () => (await call(api, 'GET', dead)).body.data.length,
    (count) => count === 8,
  );
  expect((await call(api, 'POST', '/v1/tenants/replays/replays', { status: 'dead_lettered' })).status).toBe(202);
  await eventually(
    async () => delivered(received).length,
    (count) => count === 8,
  );
  expect(delivered(received)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('Postgres computes the same keys as the service', async () => {
  const { orderKey } = await import('../../src/routing/order-key.ts');
  for (const text of ['order_1', 'straße €', '', '🦊']) {
    const [row] = await stage.query(`SELECT order_key('subject', $1) AS key`, [text]);
    expect(row.key).toBe(orderKey('subject', text));
  }
  expect(await stage.query(`SELECT order_key('endpoint', NULL) AS whole, order_key('none', 'a') AS none`)).toEqual([
    { whole: 0, none: null },
  ]);
});
