import { randomBytes } from 'node:crypto';
import { inject, onTestFailed, onTestFinished } from 'vitest';
import { call } from './api.ts';
import { ensureTenant } from './ensure-tenant.ts';
import { query } from './query.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { type ReceiverPaths, receiverPaths } from './receiver-paths.ts';
import { type ServiceProcess, type SpawnedProcess, startServiceProcess } from './service-process.ts';
import { createTestDatabase } from './test-database.ts';
import { TEST_LANES } from './test-server.ts';
import { MASTER_KEY, OPERATOR_KEY, PATIENT_CONNECT_SECONDS, PATIENT_DEADLINE_MS } from './test-settings.ts';

export interface StageOptions {
  /** A database of the caller's own; without it one is made, and dropped at the end. */
  readonly databaseUrl?: string;
  /** Environment of every process, over ours. */
  readonly env?: Readonly<Record<string, string>>;
}

type Roles = 'api' | 'worker' | 'ingest' | 'api,worker' | 'api,ingest';

/** Where a play of several processes takes place: a database, a receiver with its ledger, and the processes that were started. */
export interface Stage {
  readonly databaseUrl: string;
  readonly receiver: Receiver;
  /** What a process is started with. */
  readonly env: Readonly<Record<string, string>>;
  start(roles: Roles, env?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever columns they ask for.
  query(text: string, values?: unknown[]): Promise<any[]>;
  close(): Promise<void>;
  /** What the processes wrote last. */
  logs(): string;
}

/** A stage that is struck when the test ends, and tells what the processes wrote when the test fails. */
export async function stageForTest(options: StageOptions = {}): Promise<Stage> {
  const stage = await openStage(options);
  onTestFinished(() => stage.close());
  onTestFailed(() => console.error(stage.logs()));
  return stage;
}

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const given = options.databaseUrl;
  const database = given === undefined ? await createTestDatabase() : { url: given, drop: async () => {} };
  const receiver = await startReceiver();
  const processes: SpawnedProcess[] = [];
  const env = { ...environment(database.url), ...options.env };
  return {
    databaseUrl: database.url,
    receiver,
    env,
    // Those that have not started yet are ended with the others.
    start: (roles, more = {}) =>
      startServiceProcess({ ...env, ROLES: roles, ...more }, { onSpawn: (spawned) => processes.push(spawned) }),
    query: (text, values) => query(database.url, text, values),
    close: async () => {
      await Promise.all(processes.map((each) => each.kill('SIGKILL')));
      await receiver.close();
      await database.drop();
    },
    logs: () => processes.map((each) => `--- process ${each.pid}\n${each.output()}`).join('\n'),
  };
}

/** A stage with an API and a worker, apart, and a receiver for many endpoints. */
export async function openApiAndWorker(): Promise<{ stage: Stage; receiver: ReceiverPaths; api: string }> {
  const stage = await openStage();
  const [{ baseUrl }] = await Promise.all([stage.start('api'), stage.start('worker')]);
  return { stage, receiver: receiverPaths(stage.receiver), api: baseUrl };
}

/** What every process of ours is started with; it may deliver to loopback. */
export function environment(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: `{test-${randomBytes(6).toString('hex')}}`,
    OPERATOR_KEY,
    MASTER_KEY,
    LANES: String(TEST_LANES),
    PORT: '0',
    ALLOWED_NETWORKS: '127.0.0.0/8,::1/128',
    SHUTDOWN_SECONDS: '8',
    INGEST_DEADLINE_MS: String(PATIENT_DEADLINE_MS),
    CONNECT_TIMEOUT_SECONDS: String(PATIENT_CONNECT_SECONDS),
  };
}

export const TENANT = 'acme';

export interface CreatedEndpoint {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly public_key?: string;
}

/** The endpoint of a tenant that is made if it is not there. `path` tells the endpoints of one receiver apart. */
export async function createEndpoint(
  baseUrl: string,
  settings: Readonly<Record<string, unknown>>,
  tenant = TENANT,
): Promise<CreatedEndpoint> {
  await ensureTenant(baseUrl, tenant);
  const { status, body } = await call(baseUrl, 'POST', `/v1/tenants/${tenant}/endpoints`, settings);
  if (status !== 201) throw new Error(`The endpoint was refused: ${status} ${JSON.stringify(body)}`);
  return body;
}
