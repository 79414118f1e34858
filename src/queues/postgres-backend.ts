import {
  type BackendFactory,
  type PgPool,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
  runMigrations,
} from 'bullmq';
import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';
import { PatientClient } from './patient-client.ts';

/** BullMQ's schema in Postgres, as its migrations name it. */
const SCHEMA = 'bullmq';

/**
 * BullMQ on Postgres, each queue and worker with a pool of its own.
 * @returns what `Queue` and `Worker` take as their backend; it opens no connection before they ask for it
 */
export function postgresBackend(databaseUrl: string): BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> {
  return (name, opts, { withBlockingConnection } = {}) =>
    new PostgresQueueBackend(new OwnPool(databaseUrl), name, opts, true, withBlockingConnection ? name : undefined);
}

/**
 * Given an address, BullMQ opens the connection that it listens on itself, and nobody hears the first errors of that one: they would end
 * the process when Postgres goes away just then. Given a pool, it takes that connection from the pool too.
 */
class OwnPool extends PostgresConnection {
  readonly #pool: pg.Pool;
  #ready: Promise<void> | undefined;

  constructor(databaseUrl: string) {
    const pool = new pg.Pool({
      ...addressOf(databaseUrl),
      // Not by `options`: a pooler of sessions may keep these back.
      onConnect: async (client) => void (await client.query(`SET search_path TO ${SCHEMA}`)),
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
      await runMigrations(client, SCHEMA);
    } finally {
      client.release();
    }
  }
}
