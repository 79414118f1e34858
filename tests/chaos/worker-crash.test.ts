import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { resendUnknown, startLoader } from '../support/loader.ts';
import { answersAfter, ok } from '../support/receiver.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

test('G3, F02: a worker killed after the receiver answered and before that was written: one duplicate, then delivered, never failed', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const endpoint = await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/answered` });
  // The kill comes in the same turn as the answer, so that the worker has no time to write it down.
  stage.receiver.behave((_request, response) => {
    response.writeHead(204).end();
    first.signal('SIGKILL');
  });
  const { body: held } = await call(api.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await first.exited;
  stage.receiver.behave(ok);
  await stage.start('worker');
  const evidence = {
    databaseUrl: stage.databaseUrl,
    history: [{ key: null, outcome: 'ok' as const, id: held.id }],
    ledger: stage.receiver.requests,
    endpoints: [endpoint],
  };
  await checkInvariants({ ...evidence, duplicatesAtMost: 1 });
  const attempts = await stage.query('SELECT attempt, decision FROM attempts');
  expect(attempts).toEqual([{ attempt: 1, decision: 1 }]);
});

test('G3, F03: one of two workers killed under load: nothing lost, and at most what it had in flight is sent twice', async () => {
  const stage = await stageForTest();
  const receiver = answersAfter(30);
  stage.receiver.behave(receiver.behaviour);
  const [api, first, second] = await Promise.all([stage.start('api'), stage.start('worker'), stage.start('worker')]);
  const endpoints = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/${i}`, retry_schedule: [0, 1, 1, 2] }),
    ),
  );
  await eventually(
    () => stage.query('SELECT id FROM workers'),
    (rows) => rows.length === 2,
  );
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 4, paceMs: 40 });
  await Promise.all([first, second].map((worker) => worker.said(/"attempt\.finished"/)));
  await first.kill('SIGKILL');
  await loader.acknowledged(loader.history.length + 20);
  const history = await loader.stop();
  await resendUnknown(history, { baseUrl: () => api.baseUrl });
  expect(history.every((sent) => sent.outcome === 'ok')).toBe(true);
  // What it had under way, and what it had not written down when it died: at most a settle more.
  const duplicatesAtMost = 2 * receiver.most();
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  await checkInvariants({ ...evidence, duplicatesAtMost });
});
