import { expect, test } from 'vitest';
import { checkInvariants } from '../support/check-invariants.ts';
import { resend, resendUnknown, type SentEvent, startLoader } from '../support/loader.ts';
import { createEndpoint, stageForTest } from '../support/stage.ts';

test('G1, F07: an api killed under load: every 2xx is stored, and a retry under the same key gives the same id, once', async () => {
  const stage = await stageForTest();
  const [api] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const endpoints = [await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/`, retry_schedule: [0, 1, 1] })];
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 20, paceMs: 10 });
  await loader.acknowledged(300);
  const exited = api.kill('SIGKILL');
  const history = [...(await stopAfter(loader, exited))];
  const unanswered = history.filter((sent) => sent.outcome === 'unknown').slice(0, 60);
  expect(unanswered.length).toBeGreaterThan(0);
  const acknowledged = history.filter((sent) => sent.outcome === 'ok').slice(-60);
  const idsBefore = new Map(acknowledged.map((sent) => [sent.key, sent.id]));
  const next = await stage.start('api');
  await resendAll([...unanswered, ...acknowledged], next.baseUrl);
  expect(unanswered.every((sent) => sent.outcome === 'ok')).toBe(true);
  expect(new Map(acknowledged.map((sent) => [sent.key, sent.id]))).toEqual(idsBefore);
  expect(acknowledged.every((sent) => sent.answer === 'duplicate')).toBe(true);
  const evidence = { databaseUrl: stage.databaseUrl, ledger: stage.receiver.requests, endpoints };
  await checkInvariants({ ...evidence, history, duplicatesAtMost: 0 });
});

test('G2: events that were accepted while no worker ran are delivered by the first that starts', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api');
  const endpoints = [await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/` })];
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 10, count: 50 });
  await loader.done;
  await resendUnknown(loader.history, { baseUrl: () => api.baseUrl });
  await api.kill('SIGKILL');
  await stage.start('worker');
  const evidence = {
    databaseUrl: stage.databaseUrl,
    history: loader.history,
    ledger: stage.receiver.requests,
    endpoints,
  };
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
});

async function stopAfter(
  loader: ReturnType<typeof startLoader>,
  exited: Promise<unknown>,
): Promise<readonly SentEvent[]> {
  await exited;
  return loader.stop();
}

/** A few at a time, as producers do after an outage. */
async function resendAll(events: readonly SentEvent[], baseUrl: string): Promise<void> {
  for (let i = 0; i < events.length; i += 20) {
    await Promise.all(events.slice(i, i + 20).map((sent) => resend(sent, { baseUrl: () => baseUrl })));
  }
}
