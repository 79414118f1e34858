import { expect, test } from 'vitest';
import { checkInvariants } from '../support/check-invariants.ts';
import { resendUnknown, startLoader } from '../support/loader.ts';
import { answersAfter } from '../support/receiver.ts';
import { createEndpoint, stageForTest } from '../support/stage.ts';

// API and worker in one process, as `npm start` runs them: what it commits goes to its own lanes in memory.

test('G1, G2, G3: a whole process killed under load: what it had committed and only had in memory is delivered, at most what was under way twice', async () => {
  const stage = await stageForTest();
  const receiver = answersAfter(20);
  stage.receiver.behave(receiver.behaviour);
  let current = await stage.start('api,worker');
  const endpoints = await Promise.all(
    Array.from({ length: 4 }, (_, i) =>
      createEndpoint(current.baseUrl, { url: `${stage.receiver.url}/${i}`, retry_schedule: [0, 1, 1, 2] }),
    ),
  );
  const loader = startLoader({ baseUrl: () => current.baseUrl, concurrency: 8, paceMs: 20 });
  const acknowledged = () => loader.history.filter((sent) => sent.outcome === 'ok').length;
  for (let crashes = 0; crashes < 2; crashes++) {
    await loader.acknowledged(acknowledged() + 100);
    await current.kill('SIGKILL');
    current = await stage.start('api,worker');
  }
  await loader.acknowledged(acknowledged() + 50);
  const history = await loader.stop();
  await resendUnknown(history, { baseUrl: () => current.baseUrl });
  expect(history.every((sent) => sent.outcome === 'ok')).toBe(true);
  // At each crash what it had under way, and what it had not written down: at most a settle more.
  const duplicatesAtMost = 2 * 2 * receiver.most();
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  await checkInvariants({ ...evidence, duplicatesAtMost });
});

test('G3: two whole processes that share the lanes deliver what either commits, each once', async () => {
  const stage = await stageForTest();
  const processes = await Promise.all([stage.start('api,worker'), stage.start('api,worker')]);
  const endpoints = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      createEndpoint(processes[i % 2]!.baseUrl, { url: `${stage.receiver.url}/${i}`, retry_schedule: [0, 1, 1] }),
    ),
  );
  let turn = 0;
  const loader = startLoader({ baseUrl: () => processes[turn++ % 2]!.baseUrl, concurrency: 8, paceMs: 5 });
  await loader.acknowledged(600);
  const history = await loader.stop();
  await resendUnknown(history, { baseUrl: () => processes[0]!.baseUrl });
  expect(history.every((sent) => sent.outcome === 'ok')).toBe(true);
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
});
