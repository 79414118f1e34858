import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { startBrokerHost } from './broker-host.ts';
import { query } from './query.ts';
import { databaseUrl, dropDatabase, onServer, TEST_LANES } from './test-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server that tests may create databases on. */
    serverUrl: string;
    /** A migrated database to copy. */
    template: string;
    /** How to, in the words of `CREATE DATABASE`. */
    copying: string;
    /** Redis, or empty for BullMQ on Postgres. */
    redisUrl: string;
    /** Where `askBrokerHost` asks for the brokers that files share. */
    brokerHost: string;
  }
}

interface Servers {
  readonly serverUrl: string;
  readonly template: string;
  readonly copying: string;
  readonly brokerHost: string;
  readonly stop: () => Promise<void>;
}

/** Of the whole run: each project of vitest calls a copy of this module. */
const run = globalThis as { posthornTests?: { readonly servers: Promise<Servers>; users: number } };

/**
 * One Postgres for the whole run: `DATABASE_URL` when it is set (its user must be able to create databases), else an embedded one. Each
 * test file copies the migrated template, so that files run side by side. Kafka and RabbitMQ are started when a file asks for them.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  run.posthornTests ??= { servers: startServers(), users: 0 };
  const ours = run.posthornTests;
  ours.users++;
  const { serverUrl, template, copying, brokerHost, stop } = await ours.servers;
  project.provide('serverUrl', serverUrl);
  project.provide('template', template);
  project.provide('copying', copying);
  project.provide('brokerHost', brokerHost);
  project.provide('redisUrl', process.env.REDIS_URL || '');
  return async () => {
    if (--ours.users === 0) await stop();
  };
}

async function startServers(): Promise<Servers> {
  const given = process.env.DATABASE_URL || undefined;
  const embedded = given === undefined ? await startEmbedded() : null;
  const serverUrl = given ?? embedded!.url;
  const template = `posthorn_template_${process.pid}`;
  await onServer(serverUrl, `CREATE DATABASE ${template}`);
  const templateUrl = databaseUrl(serverUrl, template);
  await prepareDatabase(templateUrl, TEST_LANES);
  await migrateQueues(templateUrl);
  const brokers = await startBrokerHost();
  const stop = async () => {
    await brokers.stop();
    await dropDatabase(serverUrl, template);
    await embedded?.stop();
  };
  return { serverUrl, template, copying: await copyingOf(serverUrl), brokerHost: brokers.url, stop };
}

/** A copy of the files: half the work of the default from Postgres 15 on, which writes every page to the log. Before, there is no other way. */
async function copyingOf(serverUrl: string): Promise<string> {
  const [row] = await query(serverUrl, `SELECT current_setting('server_version_num')::int >= 150000 AS is_told`);
  return row.is_told ? 'STRATEGY FILE_COPY' : '';
}

async function startEmbedded() {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-tests-'));
  // Tests that are about durability start a Postgres of their own.
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300', max_wal_size: '512MB' };
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {}, settings });
  return {
    url: postgres.url,
    stop: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function migrateQueues(templateUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: templateUrl });
  await client.connect();
  await runMigrations(client).finally(() => client.end());
}
