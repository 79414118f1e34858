import type pg from 'pg';
import { uuidFloor } from '../domain/ids.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { AWAIT_STRONG_LOCK } from './strong-lock.ts';
import { withRetries } from './with-retries.ts';

const DAY_MS = 86_400_000;

/** The log's tables, each partitioned by day on a UUIDv7. */
const PARTITIONED = ['events', 'attempts'] as const;

type Partitioned = (typeof PARTITIONED)[number];

/** Serialises processes that make partitions at the same time. Any fixed number will do; 7403 is ours. */
const PARTITION_LOCK = 7403;

export interface Partition {
  readonly parent: Partitioned;
  /** `events_p20261123`. */
  readonly name: string;
  /** Start of its day (UTC), in ms since 1970. */
  readonly dayMs: number;
  /** `pending`: a detachment that was interrupted. `orphan`: detached, but not dropped yet. */
  readonly state: 'attached' | 'pending' | 'orphan';
}

/**
 * Makes the partitions from the day before today to `daysAhead` days from now. Any number of processes may call it at once. It never
 * locks a parent against reads or writes: a table is made aside and then attached (SHARE UPDATE EXCLUSIVE).
 * @param nowMs Postgres's time: ids are made by it
 * @returns the names of the partitions that this call made.
 */
export async function ensurePartitions(pool: pg.Pool, nowMs: number, daysAhead = 7): Promise<readonly string[]> {
  const attached = new Set(
    (await listPartitions(pool)).filter(({ state }) => state === 'attached').map(({ name }) => name),
  );
  const made: string[] = [];
  for (let day = -1; day <= daysAhead; day++) {
    const dayMs = startOfDay(nowMs) + day * DAY_MS;
    for (const parent of PARTITIONED) {
      if (attached.has(partitionName(parent, dayMs))) continue;
      if (await withRetries(() => attachPartition(pool, parent, dayMs))) made.push(partitionName(parent, dayMs));
    }
  }
  return made;
}

/** All day partitions of the log, and tables that were ones; oldest first. */
export async function listPartitions(db: Queryable): Promise<Partition[]> {
  const { rows } = await db.query<{ parent: Partitioned; name: string; pending: boolean | null }>(
    `SELECT p.relname AS parent, c.relname AS name, i.inhdetachpending AS pending
       FROM pg_class p
       JOIN pg_class c ON c.relnamespace = p.relnamespace AND c.relkind = 'r' AND c.relname ~ ('^' || p.relname || '_p\\d{8}$')
       LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = p.oid
      WHERE p.oid = ANY($1::regclass[])
      ORDER BY c.relname`,
    [[...PARTITIONED]],
  );
  return rows.map(({ parent, name, pending }) => ({
    parent,
    name,
    dayMs: dayOf(name),
    state: pending === null ? 'orphan' : pending ? 'pending' : 'attached',
  }));
}

/** @returns false when another process was faster. */
async function attachPartition(pool: pg.Pool, parent: Partitioned, dayMs: number): Promise<boolean> {
  const name = partitionName(parent, dayMs);
  return inTransaction(pool, async (client) => {
    // Autovacuum may be at work on a table that was detached.
    await client.query(AWAIT_STRONG_LOCK);
    await client.query('SELECT pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
    const known = await client.query(
      'SELECT 1 FROM pg_inherits WHERE inhparent = $1::regclass AND inhrelid = to_regclass($2)',
      [parent, name],
    );
    if (known.rowCount !== 0) return false;
    await client.query(`CREATE TABLE IF NOT EXISTS "${name}" (LIKE "${parent}" INCLUDING ALL)`);
    const range = `FROM ('${uuidFloor(dayMs)}') TO ('${uuidFloor(dayMs + DAY_MS)}')`;
    await client.query(`ALTER TABLE "${parent}" ATTACH PARTITION "${name}" FOR VALUES ${range}`);
    return true;
  });
}

/** The table of a day, by its start in ms since 1970. */
export function partitionName(parent: Partitioned, dayMs: number): string {
  return `${parent}_p${new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

function dayOf(name: string): number {
  const digits = name.slice(-8);
  return Date.UTC(Number(digits.slice(0, 4)), Number(digits.slice(4, 6)) - 1, Number(digits.slice(6)));
}

/** Start of the UTC day that holds this time, in ms since 1970. */
export function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}
