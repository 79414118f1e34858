import { readdir, readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type ProcessStat, parseProcessStat, treeCpuMs } from './process-stat.ts';
import type { StatementStat } from './statement-stats.ts';

/** Readings that only grow; null for what cannot be known here. */
export interface Readings {
  /** Statements of clients in the scenario's database, BEGIN and COMMIT among them; null without pg_stat_statements. */
  readonly statements: readonly StatementStat[] | null;
  /** By pg_stat_database. It lags up to a second behind where sessions are busy. */
  readonly transactions: number;
  /** Of the whole server. */
  readonly walBytes: number;
  /** Of all clients, INFO itself left out. */
  readonly redisCommands: number | null;
  /** Of Postgres's postmaster and all its children, those that have ended included. Null when it is on another machine. */
  readonly postgresCpuMs: number | null;
  /** As Redis itself counts it. */
  readonly redisCpuMs: number | null;
}

/** Reads the counters of the servers. What it costs them itself is two statements a reading. */
export class Counters {
  readonly #client: pg.Client;
  readonly #database: string;
  readonly #hasStatementCounts: boolean;
  readonly #postmaster: number | null;
  readonly #redis: Redis | null;

  private constructor(parts: {
    client: pg.Client;
    database: string;
    counts: boolean;
    postmaster: number | null;
    redis: Redis | null;
  }) {
    this.#client = parts.client;
    this.#database = parts.database;
    this.#hasStatementCounts = parts.counts;
    this.#postmaster = parts.postmaster;
    this.#redis = parts.redis;
  }

  /** @param serverUrl of a database other than the scenario's, so that its own statements are not counted */
  static async open(
    serverUrl: string,
    database: string,
    counts: boolean,
    redisUrl: string | undefined,
  ): Promise<Counters> {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const postmaster = await postmasterOf(rows[0]!.pid);
    return new Counters({
      client,
      database,
      counts,
      postmaster,
      redis: redisUrl === undefined ? null : new Redis(redisUrl),
    });
  }

  async read(): Promise<Readings> {
    const { rows } = await this.#client.query<{ wal: string; transactions: string }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal, xact_commit AS transactions
         FROM pg_stat_database WHERE datname = $1`,
      [this.#database],
    );
    return {
      walBytes: Number(rows[0]!.wal),
      transactions: Number(rows[0]!.transactions),
      statements: this.#hasStatementCounts ? await this.#readStatements() : null,
      postgresCpuMs: this.#postmaster === null ? null : treeCpuMs(this.#postmaster, await allProcesses()),
      ...(await this.#readRedis()),
    };
  }

  async close(): Promise<void> {
    this.#redis?.disconnect();
    await this.#client.end();
  }

  async #readStatements(): Promise<StatementStat[]> {
    const { rows } = await this.#client.query<{
      id: string;
      text: string;
      calls: string;
      rows: string;
      exec_ms: number;
    }>(
      `SELECT queryid || '/' || userid || '/' || toplevel AS id, query AS text, calls, rows, total_exec_time AS exec_ms
         FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid WHERE datname = $1`,
      [this.#database],
    );
    return rows.map(({ id, text, calls, rows: affected, exec_ms }) => ({
      id,
      text,
      calls: Number(calls),
      rows: Number(affected),
      execMs: exec_ms,
    }));
  }

  async #readRedis(): Promise<Pick<Readings, 'redisCommands' | 'redisCpuMs'>> {
    if (this.#redis === null) return { redisCommands: null, redisCpuMs: null };
    const [stats, cpu] = [await this.#redis.info('commandstats'), await this.#redis.info('cpu')];
    return { redisCommands: parseCommandCalls(stats), redisCpuMs: parseRedisCpuMs(cpu) };
  }
}

/** The calls of all commands but INFO, from `INFO commandstats`. */
export function parseCommandCalls(info: string): number {
  let calls = 0;
  for (const [, name, count] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
    if (name !== 'info') calls += Number(count);
  return calls;
}

/** User and system time of the server's threads, from `INFO cpu`, which has seconds. */
export function parseRedisCpuMs(info: string): number {
  const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, text]) => Number(text));
  return seconds.reduce((sum, one) => sum + one, 0) * 1_000;
}

/** The parent of a backend of ours; null when that number is none of Postgres's here, so that the server is on another machine. */
async function postmasterOf(backend: number): Promise<number | null> {
  const title = await readFile(`/proc/${backend}/cmdline`, 'utf8').catch(() => '');
  if (!title.includes('postgres')) return null;
  return parseProcessStat(await readFile(`/proc/${backend}/stat`, 'utf8')).parent;
}

async function allProcesses(): Promise<ProcessStat[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // Those that end meanwhile are in the times of their parents by then, or will be.
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)));
  return texts.filter((text) => text !== null).map(parseProcessStat);
}
