import type pg from 'pg';
import { uuidFloor } from '../domain/ids.ts';
import { listPartitions, type Partition, startOfDay } from './partitions.ts';

const DAY_MS = 86_400_000;
/** Pages of the mailbox that one statement looks at: 16 MB. */
const MAILBOX_PAGES = 2_000;
const KEYS_PER_STATEMENT = 10_000;

/**
 * Drops the days that are wholly older than the retention, and what still waited for delivery of them. Interrupted at any point, the
 * next call goes on: a half-done detachment is finished, and a table that was detached but not dropped is dropped.
 * @returns the names of the tables that were dropped.
 */
export async function dropOldPartitions(pool: pg.Pool, nowMs: number, retentionDays: number): Promise<readonly string[]> {
  const boundaryMs = retentionBoundary(nowMs, retentionDays);
  const old = (await listPartitions(pool)).filter(({ dayMs }) => dayMs < boundaryMs);
  if (old.length === 0) return [];
  await deleteOldMailboxRows(pool, uuidFloor(boundaryMs));
  // Postgres detaches one partition of a table at a time: one that is pending must be finished before the next.
  const order = [...old].sort((a, b) => Number(b.state === 'pending') - Number(a.state === 'pending') || a.dayMs - b.dayMs);
  for (const partition of order) await dropPartition(pool, partition);
  return order.map(({ name }) => name);
}

/** Start of the oldest day that is kept, in ms since 1970: nothing younger than `retentionDays` is ever dropped. */
export function retentionBoundary(nowMs: number, retentionDays: number): number {
  return startOfDay(nowMs - retentionDays * DAY_MS);
}

async function dropPartition(pool: pg.Pool, { parent, name, state }: Partition): Promise<void> {
  // Neither form may run inside a transaction; neither locks the parent against reads or writes.
  if (state === 'attached') await pool.query(`ALTER TABLE "${parent}" DETACH PARTITION "${name}" CONCURRENTLY`);
  if (state === 'pending') await pool.query(`ALTER TABLE "${parent}" DETACH PARTITION "${name}" FINALIZE`);
  await pool.query(`DROP TABLE IF EXISTS "${name}"`);
}

/** One pass over the table by page ranges: no index leads with the event, and every statement stays bounded. */
async function deleteOldMailboxRows(pool: pg.Pool, beforeUuid: string): Promise<void> {
  const { rows } = await pool.query<{ pages: number }>(
    `SELECT (pg_relation_size('mailbox') / current_setting('block_size')::int)::int AS pages`,
  );
  const pages = rows[0]?.pages ?? 0;
  for (let page = 0; page < pages; page += MAILBOX_PAGES) {
    await pool.query('DELETE FROM mailbox WHERE ctid >= $1::tid AND ctid < $2::tid AND event_id < $3::uuid', [
      `(${page},0)`,
      `(${page + MAILBOX_PAGES},0)`,
      beforeUuid,
    ]);
  }
}

/**
 * Forgets idempotency keys that were claimed by events older than this UUID, in bounded statements.
 * @returns how many were forgotten.
 */
export async function dropExpiredKeys(pool: pg.Pool, beforeUuid: string): Promise<number> {
  let total = 0;
  for (;;) {
    // The outer condition is for a key that is claimed anew between the look and the deletion.
    const { rowCount } = await pool.query({
      name: 'drop-expired-keys',
      text: `DELETE FROM idempotency_keys
              WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys WHERE event_id < $1::uuid LIMIT ${KEYS_PER_STATEMENT}))
                AND event_id < $1::uuid`,
      values: [beforeUuid],
    });
    total += rowCount ?? 0;
    if ((rowCount ?? 0) === 0) return total;
  }
}
