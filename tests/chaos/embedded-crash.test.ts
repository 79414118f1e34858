import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { startLoader } from '../support/loader.ts';
import { startReceiver } from '../support/receiver.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { createEndpoint } from '../support/stage.ts';
import { MASTER_KEY, OPERATOR_KEY } from '../support/test-settings.ts';

/** A service with its database under a data folder of its own, as `npm start` runs it, and an endpoint under load. */
async function embeddedPlay() {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-chaos-embedded-'));
  const receiver = await startReceiver();
  const processes: ServiceProcess[] = [];
  const env = {
    DATA_DIR: dataDir,
    OPERATOR_KEY,
    MASTER_KEY,
    PORT: '0',
    DEMO: 'false',
    ALLOWED_NETWORKS: '127.0.0.0/8',
  };
  const start = async () => {
    const started = await startServiceProcess(env);
    processes.push(started);
    return started;
  };
  onTestFailed(() => console.error(processes.map((each) => each.output()).join('\n---\n')));
  onTestFinished(async () => {
    for (const each of processes) await each.kill('SIGTERM');
    // A service that was killed leaves its Postgres behind: whoever starts there next stops it.
    await startEmbeddedPostgres({ dataDir, log: () => {} }).then((server) => server.stop());
    await receiver.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const first = await start();
  const endpoint = await createEndpoint(first.baseUrl, { url: `${receiver.url}/`, retry_schedule: [0, 1, 2] });
  const loader = startLoader({ baseUrl: () => first.baseUrl, concurrency: 8, paceMs: 20 });
  await loader.acknowledged(100);
  return { dataDir, receiver, start, first, endpoint, loader };
}

async function postmasterFile(dataDir: string): Promise<string[]> {
  return (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
}

/** The URL of the embedded database as long as it runs. */
async function databaseUrlOf(dataDir: string): Promise<string> {
  const password = (await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim();
  return `postgresql://posthorn:${password}@127.0.0.1:${(await postmasterFile(dataDir))[3]}/postgres`;
}

test('F63: the embedded Postgres is killed: the service ends with exit code 1 and says why, and the next start recovers everything', async () => {
  const { dataDir, receiver, start, first, endpoint, loader } = await embeddedPlay();
  process.kill(Number((await postmasterFile(dataDir))[0]), 'SIGKILL');
  expect(await first.exited).toEqual({ code: 1, signal: null });
  expect(first.output()).toMatch(/embedded Postgres ended by itself \(SIGKILL\).*Start Posthorn again/);
  const history = await loader.stop();
  await start();
  // What had been sent and could not be written down any more is sent once more.
  const evidence = { databaseUrl: await databaseUrlOf(dataDir), ledger: receiver.requests, endpoints: [endpoint] };
  await checkInvariants({ ...evidence, history, duplicatesAtMost: 16 });
});

test('F63: the service itself is killed: the next start takes its Postgres over and delivers what waits', async () => {
  const { dataDir, receiver, start, first, endpoint, loader } = await embeddedPlay();
  await first.kill('SIGKILL');
  const history = await loader.stop();
  await start();
  const evidence = { databaseUrl: await databaseUrlOf(dataDir), ledger: receiver.requests, endpoints: [endpoint] };
  await checkInvariants({ ...evidence, history, duplicatesAtMost: 16 });
});
