import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receiver.ts';
import { type ReceiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openApiAndWorker, type Stage } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  ({ stage, receiver, api } = await openApiAndWorker());
});

afterAll(() => stage.close());

const BACKLOG = 40;
/** Long enough for a change of the endpoint to be answered meanwhile. */
const RETRY_SECONDS = 8;

/** An endpoint that holds one request open while the rest of its backlog waits. */
async function endpointWithBacklog(name: string) {
  const held: ServerResponse[] = [];
  receiver.behave(`/${name}`, (_request, response) => void held.push(response));
  const { id } = await createEndpoint(
    api,
    { url: receiver.url(`/${name}`), max_in_flight: 1, retry_schedule: [0], timeout_seconds: 60 },
    name,
  );
  const event = { type: 'a.b', tenant_id: name, data: {} };
  const { body } = await call(api, 'POST', '/v1/events', Array(BACKLOG).fill(event));
  expect(body.accepted).toBe(BACKLOG);
  await receiver.received(`/${name}`, 1);
  return {
    path: `/v1/tenants/${name}/endpoints/${id}`,
    answerHeld: () => held.splice(0).forEach((response) => void response.writeHead(204).end()),
  };
}

async function waitingOf(tenant: string, where: string): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM mailbox m JOIN tenants t ON t.num = m.tenant_num WHERE t.id = $1 AND ${where}`;
  return (await stage.query(text, [tenant]))[0].count;
}

function decisionsOf(tenant: string): Promise<number[]> {
  const text = 'SELECT decision FROM attempts a JOIN tenants t ON t.num = a.tenant_num WHERE t.id = $1';
  return stage.query(text, [tenant]).then((rows) => rows.map((row) => row.decision));
}

const idsAt = (path: string) => new Set(receiver.at(path).map(({ headers }) => headers['webhook-id']));

test('what waits for an endpoint that is disabled goes out after it is enabled, each delivery once', async () => {
  const { path, answerHeld } = await endpointWithBacklog('paused');
  expect((await call(api, 'PATCH', path, { enabled: false })).status).toBe(200);
  await eventually(
    () => waitingOf('paused', 'parked'),
    (count) => count >= BACKLOG - 1,
  );
  receiver.behave('/paused', ok);
  answerHeld();
  await eventually(
    () => waitingOf('paused', 'true'),
    (count) => count === BACKLOG - 1,
  );
  expect(receiver.at('/paused')).toHaveLength(1);
  await call(api, 'PATCH', path, { enabled: true });
  await eventually(
    () => waitingOf('paused', 'true'),
    (count) => count === 0,
  );
  expect(await decisionsOf('paused')).toEqual(Array(BACKLOG).fill(DECISION.done));
  expect(receiver.at('/paused')).toHaveLength(BACKLOG);
  expect(idsAt('/paused').size).toBe(BACKLOG);
});

test('an endpoint that is disabled while nothing of it is awake gets its deliveries once it is enabled', async () => {
  const name = 'asleep';
  receiver.behave(`/${name}`, statuses(500, 204));
  const { id } = await createEndpoint(api, { url: receiver.url(`/${name}`), retry_schedule: [0, RETRY_SECONDS] }, name);
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: name, data: {} });
  await receiver.received(`/${name}`, 1);
  await call(api, 'PATCH', `/v1/tenants/${name}/endpoints/${id}`, { enabled: false });
  await eventually(
    () => waitingOf(name, 'parked'),
    (count) => count === 1,
  );
  await eventually(
    () => stage.query('SELECT lane FROM lanes WHERE owner IS NOT NULL'),
    (rows) => rows.length === 0,
  );
  expect(receiver.at(`/${name}`)).toHaveLength(1);
  await call(api, 'PATCH', `/v1/tenants/${name}/endpoints/${id}`, { enabled: true });
  await receiver.received(`/${name}`, 2);
  await eventually(
    () => waitingOf(name, 'true'),
    (count) => count === 0,
  );
  expect(await decisionsOf(name)).toEqual([DECISION.retry, DECISION.done]);
});

test('what waits for an endpoint that is deleted is cancelled and never sent', async () => {
  const { path, answerHeld } = await endpointWithBacklog('deleted');
  expect((await call(api, 'DELETE', path)).status).toBe(204);
  expect(await waitingOf('deleted', 'true')).toBe(0);
  // A row that a worker saw less than 100 ms ago may still go out: the promise begins after that.
  await setTimeout(300);
  answerHeld();
  // The one under way is cancelled too; what came of it is kept as a late attempt.
  const decisions = await eventually(
    () => decisionsOf('deleted'),
    (found) => found.length > BACKLOG,
  );
  expect(decisions.sort()).toEqual([...Array(BACKLOG).fill(DECISION.cancel), DECISION.late]);
  expect(receiver.at('/deleted')).toHaveLength(1);
});

test('F52: a delivery that waits for its retry goes to the URL that the endpoint has by then', async () => {
  // Another delivery stays under way all the while, so that the worker has no cause to learn the endpoint anew.
  receiver.behave('/old', (request, response) => {
    if (!request.body.includes('held')) response.writeHead(500).end();
  });
  const settings = {
    url: receiver.url('/old'),
    retry_schedule: [0, RETRY_SECONDS, RETRY_SECONDS],
    timeout_seconds: 60,
  };
  const { id } = await createEndpoint(api, settings, 'moved');
  const event = { type: 'a.b', tenant_id: 'moved' };
  await call(api, 'POST', '/v1/events', [
    { ...event, data: 'held' },
    { ...event, data: 'retried' },
  ]);
  await receiver.received('/old', 2);
  await call(api, 'PATCH', `/v1/tenants/moved/endpoints/${id}`, { url: receiver.url('/new') });
  const [request] = await receiver.received('/new', 1);
  expect(request!.headers['posthorn-attempt']).toBe('2');
  expect(request!.body.toString()).toContain('retried');
  expect(receiver.at('/old')).toHaveLength(2);
});

test.each([
  ['410', 'at once', 410, {}],
  ['410', 'when the worker knows', 410, {}],
  ['webhook-delivery: disable', 'when the worker knows', 503, { 'webhook-delivery': 'disable' }],
])(
  '%s from the receiver that an endpoint had before, %s, does not disable it, and the delivery goes to the one that it has',
  async (_, when, status, headers) => {
    const name = `moved${status}${when.length}`;
    let answer = () => {};
    receiver.behave(`/${name}-old`, (_request, response) => {
      answer = () => void response.writeHead(status, headers).end();
    });
    receiver.behave(`/${name}-new`, ok);
    const { id } = await createEndpoint(api, { url: receiver.url(`/${name}-old`), retry_schedule: [0, 1] }, name);
    const path = `/v1/tenants/${name}/endpoints/${id}`;
    const post = () => call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: name, data: {} });
    const { body: first } = await post();
    await receiver.received(`/${name}-old`, 1);
    expect((await call(api, 'PATCH', path, { url: receiver.url(`/${name}-new`) })).status).toBe(200);
    // What comes to the new one says that the worker knows of it.
    const isKnown = () => post().then(() => receiver.at(`/${name}-new`).length > 0);
    if (when !== 'at once') await eventually(isKnown, Boolean);
    answer();
    await eventually(async () => idsAt(`/${name}-new`).has(first.id), Boolean);
    expect((await call(api, 'GET', path)).body).toMatchObject({ enabled: true, disabled_reason: null });
  },
);

test('an ordered endpoint that is told to go on while its dead letter is made goes on', async () => {
  const name = 'goes-on';
  const held: ServerResponse[] = [];
  receiver.behave(`/${name}`, (_request, response) => void held.push(response));
  const settings = { order: 'endpoint', on_dead_letter: 'pause', retry_schedule: [0], timeout_seconds: 60 };
  const { id } = await createEndpoint(api, { url: receiver.url(`/${name}`), ...settings }, name);
  const path = `/v1/tenants/${name}/endpoints/${id}`;
  await call(api, 'POST', '/v1/events', Array(3).fill({ type: 'a.b', tenant_id: name, data: {} }));
  await receiver.received(`/${name}`, 1);
  receiver.behave(`/${name}`, ok);
  expect((await call(api, 'PATCH', path, { on_dead_letter: 'continue' })).status).toBe(200);
  held[0]!.writeHead(500).end();
  await receiver.received(`/${name}`, 3);
  expect((await call(api, 'GET', `${path}/paused-keys`)).body.data).toEqual([]);
});
