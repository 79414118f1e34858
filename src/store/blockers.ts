import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';
import type { Queryable } from './in-transaction.ts';

/** Whom a session waits for, and what can be read about them. What the role may not see of others is left out. */
const BLOCKERS = `
  SELECT CASE WHEN b.pid = 0 THEN 'a prepared transaction (pg_prepared_xacts)'
              ELSE format('process %s (%s)', b.pid, concat_ws(', ', nullif(a.application_name, ''), nullif(a.backend_type, 'client backend'),
                'role ' || a.usename, a.state, 'for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s')) END AS who
    FROM (SELECT DISTINCT unnest(pg_blocking_pids($1)) AS pid) b LEFT JOIN pg_stat_activity a USING (pid) ORDER BY b.pid LIMIT 5`;

/** @returns whom the session with this process number waits for at this moment, for people; empty if it waits for nobody */
async function findBlockers(db: Queryable, pid: number): Promise<string> {
  const { rows } = await db.query<{ who: string }>(BLOCKERS, [pid]);
  return rows.map(({ who }) => who).join('; ');
}

export interface Watched {
  readonly databaseUrl: string;
  /** The process number of the session that may have to wait. */
  readonly pid: number;
  /** How long it is left alone at first, and between two looks, in ms. */
  readonly firstMs: number;
  readonly everyMs: number;
  readonly onBlocked: (blockers: string) => void;
}

/**
 * Does work in which a session may have to wait, and looks from time to time whom it waits for. It looks by another connection, because the
 * session itself cannot ask while it waits.
 */
export async function watchWait<T>(watched: Watched, work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  // If it cannot be found out whom the session waits for, nothing is told.
  watch(watched, done.signal).catch(() => {});
  try {
    return await work();
  } finally {
    done.abort();
  }
}

async function watch({ databaseUrl, pid, firstMs, everyMs, onBlocked }: Watched, signal: AbortSignal): Promise<void> {
  await sleep(firstMs, undefined, { signal });
  const client = new pg.Client({
    ...addressOf(databaseUrl),
    application_name: 'posthorn-migrate-watch',
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    while (!signal.aborted) {
      const blockers = await findBlockers(client, pid);
      if (blockers !== '' && !signal.aborted) onBlocked(blockers);
      await sleep(everyMs, undefined, { signal });
    }
  } finally {
    await client.end();
  }
}
