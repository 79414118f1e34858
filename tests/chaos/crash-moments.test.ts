import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { freePort } from '../support/free-port.ts';
import { resendUnknown, startLoader } from '../support/loader.ts';
import { ok } from '../support/receiver.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

test('G3, F01: a worker killed while the receiver holds the request: another sends it again, under the same id, exactly once', async () => {
  const stage = await stageForTest();
  const held: ServerResponse[] = [];
  stage.receiver.behave((_request, response) => void held.push(response));
  const [api, first] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const endpoint = await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/held` });
  const { body } = await call(api.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await stage.receiver.received(1);
  // Its listener must not be what saves us: the second worker starts when the first is dead.
  await first.kill('SIGKILL');
  stage.receiver.behave(ok);
  await stage.start('worker');
  const [lost, again] = await stage.receiver.received(2);
  expect([lost, again].map((request) => request!.headers['webhook-id'])).toEqual([body.id, body.id]);
  expect(again!.headers['posthorn-attempt']).toBe('1');
  expect(again!.body.equals(lost!.body)).toBe(true);
  await checkInvariants({
    databaseUrl: stage.databaseUrl,
    history: [{ key: null, outcome: 'ok', id: body.id }],
    ledger: stage.receiver.requests,
    endpoints: [endpoint],
    duplicatesAtMost: 1,
  });
  expect(stage.receiver.requests).toHaveLength(2);
});

test('F05, F08: an api killed between the commit and the ring: a worker finds what it stored, with no ring at all', async () => {
  const stage = await stageForTest();
  // Its doorbell leads nowhere, and the worker listens to another one.
  const api = await stage.start('api', { REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  const endpoints = [await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/` })];
  await stage.start('worker', { REDIS_URL: '' });
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 20, count: 60 });
  await loader.done;
  await resendUnknown(loader.history, { baseUrl: () => api.baseUrl });
  await api.kill('SIGKILL');
  expect(loader.history.every((sent) => sent.outcome === 'ok')).toBe(true);
  const evidence = {
    databaseUrl: stage.databaseUrl,
    history: loader.history,
    ledger: stage.receiver.requests,
    endpoints,
  };
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
});
