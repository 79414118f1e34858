import {
  assertSchemaCompatibility,
  type BackendFactory,
  LATEST_SCHEMA_VERSION,
  type PgPool,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
  runMigrations,
  SchemaMigrationRequiredError,
} from 'bullmq';
import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';
import { PatientClient } from './patient-client.ts';

/** BullMQ's schema in Postgres, as its migrations name it. */
const SCHEMA = 'bullmq';

/** The longest that a statement may take, in ms. BullMQ does not wait for jobs by a statement, but on an idle connection that listens. */
const STATEMENT_MS = 10_000;
/** Longest wait for a lock, in ms. */
const LOCK_MS = 5_000;

const SESSION = [
  `SET search_path TO ${SCHEMA}`,
  `SET statement_timeout TO ${STATEMENT_MS}`,
  `SET lock_timeout TO ${LOCK_MS}`,
  `SET idle_in_transaction_session_timeout TO ${STATEMENT_MS}`,
].join('; ');

/**
 * BullMQ on Postgres, each queue and worker with a pool of its own.
 * @returns what `Queue` and `Worker` take as their backend; it opens no connection before they ask for it
 */
export function postgresBackend(databaseUrl: string): BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> {
  return (name, opts, { withBlockingConnection } = {}) =>
    new PostgresQueueBackend(new OwnPool(databaseUrl), name, opts, true, withBlockingConnection ? name : undefined);
}

/**
 * The pool that BullMQ is given. Every wait in it is bounded, so that a ring that nobody can take fails and is reported, and the next one
 * is tried. If BullMQ were given an address, it would itself open the connection that it listens on, and nobody would hear the first errors
 * of that connection: they would end the process if Postgres went away at that moment. Given a pool, it takes that connection from the pool
 * too.
 */
class OwnPool extends PostgresConnection {
  readonly #pool: pg.Pool;
  #ready: Promise<void> | undefined;

  constructor(databaseUrl: string) {
    const pool = new pg.Pool({
      ...addressOf(databaseUrl),
      // Not by `options`: a pooler of sessions may keep these back.
      onConnect: async (client) => void (await client.query(SESSION)),
      // A little later than Postgres itself gives up, for a server that hangs.
      query_timeout: STATEMENT_MS + 500,
      // One of them listens.
      max: 5,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      Client: PatientClient,
    });
    super(pool as unknown as PgPool);
    this.#pool = pool;
  }

  override waitUntilReady(): Promise<void> {
    this.#ready ??= this.#migrate();
    return this.#ready;
  }

  override async close(): Promise<void> {
    await super.close();
    if (!this.#pool.ending) await this.#pool.end();
  }

  async #migrate(): Promise<void> {
    const client = await this.#pool.connect();
    try {
      if (!(await isCurrent(client))) await runMigrations(client, SCHEMA);
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}

/**
 * Whether there is nothing to migrate. Even then BullMQ's migrations would alter their ledger, and so wait for everybody who reads it: a
 * backup reads it for as long as it runs.
 * @throws Error when the schema is of a later BullMQ
 */
async function isCurrent(client: pg.PoolClient): Promise<boolean> {
  try {
    return (await assertSchemaCompatibility(client, SCHEMA)) >= LATEST_SCHEMA_VERSION;
  } catch (error) {
    if (error instanceof SchemaMigrationRequiredError) return false;
    throw error;
  }
}
