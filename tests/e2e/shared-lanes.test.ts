import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { resendUnknown, startLoader } from '../support/loader.ts';
import { createEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

const ENDPOINTS = 8;

/** Endpoints on many lanes, all of which get every event. */
async function manyEndpoints(stage: Stage, api: string) {
  const paths = Array.from({ length: ENDPOINTS }, (_, i) => `/${i}`);
  return Promise.all(
    paths.map((path) => createEndpoint(api, { url: stage.receiver.url + path, retry_schedule: [0, 1, 1, 2] })),
  );
}

const workers = (stage: Stage, count: number) =>
  eventually(
    () => stage.query('SELECT id FROM workers'),
    (rows) => rows.length === count,
  );

test('G3: two workers share the lanes, and no delivery is made twice', async () => {
  const stage = await stageForTest();
  stage.receiver.behave((_request, response) => void setTimeout(() => response.writeHead(204).end(), 50));
  const [api, first, second] = await Promise.all([stage.start('api'), stage.start('worker'), stage.start('worker')]);
  const endpoints = await manyEndpoints(stage, api.baseUrl);
  await workers(stage, 2);
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 4, paceMs: 20 });
  await Promise.all([first, second].map((worker) => worker.said(/"attempt\.finished"/)));
  const history = await loader.stop();
  await resendUnknown(history, { baseUrl: () => api.baseUrl });
  expect(history.every((sent) => sent.outcome === 'ok')).toBe(true);
  const evidence = { databaseUrl: stage.databaseUrl, ledger: stage.receiver.requests, endpoints };
  expect(await checkInvariants({ ...evidence, history, duplicatesAtMost: 0 })).toBe(0);
});

test('F43: SIGTERM of one of two workers under load: exit code 0, nothing lost, nothing twice, and the other takes over at once', async () => {
  const stage = await stageForTest();
  const [api, first, second] = await Promise.all([stage.start('api'), stage.start('worker'), stage.start('worker')]);
  // Requests take a while, so that some are under way when the signal comes.
  stage.receiver.behave((_request, response) => void setTimeout(() => response.writeHead(204).end(), 50));
  const endpoints = await manyEndpoints(stage, api.baseUrl);
  await workers(stage, 2);
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 4, paceMs: 20 });
  await Promise.all([first, second].map((worker) => worker.said(/"attempt\.finished"/)));
  expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  // A lane that its owner did not give back stays taken for the rest of its lease.
  const owners = await stage.query(`SELECT DISTINCT owner FROM lanes WHERE leased_until > now()`);
  expect(owners.length).toBeLessThanOrEqual(1);
  expect(await stage.query('SELECT id FROM workers')).toHaveLength(1);
  await loader.acknowledged(loader.history.length + 20);
  const history = await loader.stop();
  const evidence = { databaseUrl: stage.databaseUrl, ledger: stage.receiver.requests, endpoints };
  expect(await checkInvariants({ ...evidence, history, duplicatesAtMost: 0 })).toBe(0);
});

test('G3: a client that never finishes its request does not take the time that deliveries need at SIGTERM: none is cut or doubled', async () => {
  const stage = await stageForTest();
  const service = await stage.start('api,worker');
  await createEndpoint(service.baseUrl, { url: `${stage.receiver.url}/`, max_in_flight: 1 });
  stage.receiver.behave((_request, response) => void setTimeout(() => response.writeHead(204).end(), 2_000));
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  await call(service.baseUrl, 'POST', '/v1/events', Array(8).fill(event));
  await stage.receiver.received(1);
  const { hostname, port } = new URL(service.baseUrl);
  const client = connect(Number(port), hostname).on('error', () => {});
  client.write(
    `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${OPERATOR_KEY}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
  );
  await once(client, 'ready');
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  // Every request that was begun was waited for and written down.
  const attempts = await stage.query('SELECT decision FROM attempts');
  expect(attempts).toEqual(Array(stage.receiver.requests.length).fill({ decision: DECISION.done }));
});
