import { afterAll, beforeAll, expect, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type ReceiverPaths, receiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  stage = await openStage();
  receiver = receiverPaths(stage.receiver);
  api = (await stage.start('api,worker')).baseUrl;
});

afterAll(() => stage.close());

/** A tenant of this name with an endpoint at the path of this name. */
const endpointOf = (name: string, retrySchedule: readonly number[]) =>
  createEndpoint(api, { url: receiver.url(`/${name}`), retry_schedule: retrySchedule }, name);

const post = (tenant: string, data: unknown = {}) =>
  call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data });

function attemptsOf(tenant: string) {
  return stage.query(
    `SELECT a.attempt, a.decision, a.status, convert_from(a.response_body, 'UTF8') AS body, a.response_headers
       FROM attempts a JOIN tenants t ON t.num = a.tenant_num WHERE t.id = $1 ORDER BY a.event_id, a.attempt`,
    [tenant],
  );
}

const ended = (tenant: string, attempts: number) =>
  eventually(
    () => attemptsOf(tenant),
    (rows) => rows.length === attempts,
  );

function gapsMs(path: string): number[] {
  const times = receiver.at(path).map((request) => request.atMs);
  return times.slice(1).map((time, i) => time - times[i]!);
}

const mailbox = () => stage.query('SELECT * FROM mailbox');

test('a failing delivery is retried by its schedule, then dead-lettered with the last response', async () => {
  await endpointOf('scheduled', [0, 1, 2]);
  receiver.behave(
    '/scheduled',
    (_request, response, index) => void response.writeHead(500, { 'x-try': String(index) }).end(`no ${index}`),
  );
  await post('scheduled');
  const attempts = await ended('scheduled', 3);
  expect(attempts).toMatchObject([
    { attempt: 1, decision: DECISION.retry, status: 500, body: 'no 0' },
    { attempt: 2, decision: DECISION.retry, status: 500, body: 'no 1' },
    { attempt: 3, decision: DECISION.deadLetter, status: 500, body: 'no 2' },
  ]);
  expect(JSON.parse(attempts[2].response_headers)).toMatchObject({ 'x-try': '2' });
  const [first, second] = gapsMs('/scheduled');
  // The schedule less its jitter of 20 %.
  expect(first).toBeGreaterThan(790);
  expect(second).toBeGreaterThan(1_590);
  expect(await mailbox()).toEqual([]);
});

test('Retry-After puts a retry off beyond the schedule', async () => {
  await endpointOf('busy', [0, 0]);
  receiver.behave('/busy', (_request, response, index) => {
    if (index === 0) response.writeHead(503, { 'retry-after': '2' }).end();
    else response.writeHead(204).end();
  });
  await post('busy');
  expect(await ended('busy', 2)).toMatchObject([{ decision: DECISION.retry }, { decision: DECISION.done }]);
  expect(gapsMs('/busy')[0]).toBeGreaterThan(1_990);
});

test.each([
  ['410 Gone', 'gone', 410, {}],
  ['webhook-delivery: disable', 'disable', 500, { 'webhook-delivery': 'disable' }],
])('%s disables the endpoint: no event goes there any more', async (_title, name, status, headers) => {
  const { id } = await endpointOf(name, [0, 0, 0]);
  receiver.behave(`/${name}`, (_request, response) => void response.writeHead(status, headers).end());
  await post(name);
  const endpoint = () => call(api, 'GET', `/v1/tenants/${name}/endpoints/${id}`);
  const { body } = await eventually(endpoint, (answer) => answer.body.enabled === false);
  expect(body.disabled_reason).toMatch(/410|webhook-delivery/);
  expect((await post(name)).body).toMatchObject({ status: 'accepted', deliveries: 0 });
  expect(await ended(name, 1)).toMatchObject([{ decision: DECISION.deadLetter, status }]);
  expect(receiver.at(`/${name}`)).toHaveLength(1);
});

test('webhook-delivery: abort-message ends that delivery alone', async () => {
  await endpointOf('abort', [0, 0, 0]);
  receiver.behave('/abort', (request, response) => {
    if (request.body.includes('unwanted')) response.writeHead(400, { 'webhook-delivery': 'abort-message' }).end();
    else response.writeHead(204).end();
  });
  await post('abort', { kind: 'unwanted' });
  await post('abort', { kind: 'wanted' });
  expect(await ended('abort', 2)).toMatchObject([
    { decision: DECISION.deadLetter, status: 400 },
    { decision: DECISION.done },
  ]);
  expect(await mailbox()).toEqual([]);
});

test('a delivery that fails and then succeeds is delivered once, after as many attempts as it took', async () => {
  await endpointOf('recovering', [0, 0, 0, 0, 0]);
  receiver.behave('/recovering', statuses(500, 502, 204));
  await post('recovering');
  expect((await ended('recovering', 3)).map((attempt) => attempt.decision)).toEqual([
    DECISION.retry,
    DECISION.retry,
    DECISION.done,
  ]);
  expect(await mailbox()).toEqual([]);
});
