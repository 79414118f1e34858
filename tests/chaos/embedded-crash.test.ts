import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { type Loader, type SentEvent, startLoader } from '../support/loader.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { type CreatedEndpoint, createEndpoint } from '../support/stage.ts';
import { MASTER_KEY, OPERATOR_KEY } from '../support/test-settings.ts';

// A service with its database under a data folder of its own, as `npm start` runs it, and an endpoint.
let dataDir: string;
let receiver: Receiver;
let current: ServiceProcess;
let endpoint: CreatedEndpoint;
const processes: ServiceProcess[] = [];
/** Every event that was sent so far. */
const history: SentEvent[] = [];

async function start(): Promise<void> {
  const env = { OPERATOR_KEY, MASTER_KEY, PORT: '0', DEMO: 'false', ALLOWED_NETWORKS: '127.0.0.0/8' };
  current = await startServiceProcess({ ...env, DATA_DIR: dataDir });
  processes.push(current);
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'posthorn-chaos-embedded-'));
  receiver = await startReceiver();
  await start();
  endpoint = await createEndpoint(current.baseUrl, { url: `${receiver.url}/`, retry_schedule: [0, 1, 2] });
});
beforeEach(() => onTestFailed(() => console.error(processes.map((each) => each.output()).join('\n---\n'))));
afterAll(async () => {
  for (const each of processes) await each.kill('SIGTERM');
  // A service that was killed leaves its Postgres behind: whoever starts there next stops it.
  await startEmbeddedPostgres({ dataDir, log: () => {} }).then((server) => server.stop());
  await receiver?.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function load(): Promise<Loader> {
  const loader = startLoader({ baseUrl: () => current.baseUrl, concurrency: 8, paceMs: 20 });
  await loader.acknowledged(100);
  return loader;
}

async function postmasterFile(): Promise<string[]> {
  return (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
}

/** The URL of the embedded database as long as it runs. */
async function databaseUrl(): Promise<string> {
  const password = (await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim();
  return `postgresql://posthorn:${password}@127.0.0.1:${(await postmasterFile())[3]}/postgres`;
}

/** The last lines, as many as may have come by the other stream at the same moment. */
function lastWords(ended: ServiceProcess): string {
  return ended.output().split('\n').slice(-10).join('\n');
}

/** What had been sent and could not be written down any more is sent once more. */
async function expectRecovered(crashes: number): Promise<void> {
  const evidence = { databaseUrl: await databaseUrl(), ledger: receiver.requests, endpoints: [endpoint] };
  await checkInvariants({ ...evidence, history, duplicatesAtMost: crashes * 16 });
}

test('F63: the embedded Postgres is killed: the service ends with exit code 1 and says why, and the next start recovers everything', async () => {
  const loader = await load();
  process.kill(Number((await postmasterFile())[0]), 'SIGKILL');
  const crashed = current;
  const exit = await crashed.exited;
  history.push(...(await loader.stop()));
  await start();
  expect(exit).toEqual({ code: 1, signal: null });
  expect(lastWords(crashed)).toMatch(/embedded Postgres ended by itself \(SIGKILL\).*Start Posthorn again/);
  await expectRecovered(1);
});

test('F63: the service itself is killed: the next start takes its Postgres over and delivers what waits', async () => {
  const loader = await load();
  await current.kill('SIGKILL');
  history.push(...(await loader.stop()));
  await start();
  await expectRecovered(2);
});
