import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../../src/embedded/embedded-postgres.ts';
import { startRedisProcess } from '../../support/redis-process.ts';
import { type Closers, closeAll } from './closers.ts';
import { Counters } from './counters.ts';

/** Postgres, and Redis if there is one, for all the scenarios of a run. */
export interface Servers {
  /** An empty database of its own for each scenario, dropped at the end. */
  newDatabase(): Promise<{ readonly name: string; readonly url: string; drop(): Promise<void> }>;
  openCounters(database: string): Promise<Counters>;
  /** Whether the number of statements is known. */
  readonly hasStatementCounts: boolean;
  readonly postgresVersion: string;
  readonly isEmbedded: boolean;
  /** Undefined when BullMQ runs on Postgres. */
  readonly redisUrl: string | undefined;
  close(): Promise<void>;
}

const STATEMENT_COUNTS = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '1000',
  'pg_stat_statements.save': 'off',
};

/** Takes `DATABASE_URL` and `REDIS_URL` where they are set. The embedded Postgres has the product's own settings, and `fsync` on. */
export async function startServers(withRedis: boolean): Promise<Servers> {
  const closers: Closers = [];
  try {
    const given = process.env.DATABASE_URL || undefined;
    const url = given ?? (await startPostgres(closers));
    const redisUrl = process.env.REDIS_URL || (withRedis ? await startRedis(closers) : undefined);
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    closers.push(() => admin.end());
    const { rows } = await admin.query<{ version: string }>(`SELECT current_setting('server_version') AS version`);
    const hasStatementCounts = await countStatements(admin);
    return {
      newDatabase: () => newDatabase(admin, url),
      openCounters: (database) => Counters.open(url, database, hasStatementCounts, redisUrl),
      hasStatementCounts,
      postgresVersion: rows[0]!.version,
      isEmbedded: given === undefined,
      redisUrl,
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function startPostgres(closers: Closers): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {}, settings: STATEMENT_COUNTS });
  closers.push(() => postgres.stop());
  return postgres.url;
}

async function startRedis(closers: Closers): Promise<string> {
  const redis = await startRedisProcess();
  closers.push(() => redis.close());
  return redis.url;
}

/** The counters are the whole server's, kept by database; the extension only has to be visible from one. */
async function countStatements(admin: pg.Client): Promise<boolean> {
  try {
    await admin.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    await admin.query('SELECT count(*) FROM pg_stat_statements');
    return true;
  } catch {
    return false;
  }
}

async function newDatabase(admin: pg.Client, serverUrl: string) {
  const name = `posthorn_bench_${randomBytes(4).toString('hex')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: async () => void (await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}
