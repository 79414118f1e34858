import type pg from 'pg';
import { uuidFloor } from '../domain/ids.ts';
import { detachWithLetters } from './detach-with-letters.ts';
import { keepDeadLetters } from './kept-dead-letters.ts';
import { orderKeysOf, promoteInParts } from './order.ts';
import { listPartitions, type Partition, startOfDay } from './partitions.ts';
import { pauseAgain } from './pause-again.ts';
import { isDeliveryOf } from './probe.ts';
import { forgetRestored } from './restore-kept.ts';
import { forgetTestEvents } from './test-events.ts';

const DAY_MS = 86_400_000;
/** Pages of the mailbox that one statement looks at, some 25,000 rows at the most: it is to end within a part of the time that a statement has, on slow disks too. */
const MAILBOX_PAGES = 200;

/** Held while a process drops partitions, so that two do not detach the same one. Any fixed number will do; 7404 is ours. */
const RETENTION_LOCK = 7404;

/**
 * Drops the days that are wholly older than the retention, and what still waited for delivery of them; their dead letters are kept
 * elsewhere. Interrupted at any point, the next call goes on: a half-done detachment is finished, and a table that was detached but not dropped is dropped.
 * @param deadLetterDays dead letters of days that are older than this are not kept either
 * @param signal ends it between two statements
 * @returns the names of the tables that were dropped; none while another process is at it.
 * @throws the signal's reason
 */
export async function dropOldPartitions(
  pool: pg.Pool,
  nowMs: number,
  retentionDays: number,
  deadLetterDays: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const boundaryMs = retentionBoundary(nowMs, retentionDays);
  if (!(await listPartitions(pool)).some(({ dayMs }) => dayMs < boundaryMs)) return [];
  const client = await pool.connect();
  let broken = true;
  try {
    const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RETENTION_LOCK]);
    const dropped =
      lock.rows[0]?.taken === true
        ? await dropBefore(client, { boundaryMs, keptMs: retentionBoundary(nowMs, deadLetterDays), signal })
        : [];
    await client.query('SELECT pg_advisory_unlock($1)', [RETENTION_LOCK]);
    broken = false;
    return dropped;
  } finally {
    // Closing the connection gives the lock back too.
    client.release(broken);
  }
}

interface Drop {
  readonly boundaryMs: number;
  /** Dead letters of older days are not kept. */
  readonly keptMs: number;
  readonly signal: AbortSignal | undefined;
}

async function dropBefore(client: pg.ClientBase, { boundaryMs, keptMs, signal }: Drop): Promise<readonly string[]> {
  const old = (await listPartitions(client)).filter(({ dayMs }) => dayMs < boundaryMs);
  await client.query('DELETE FROM expansions WHERE event_id < $1', [uuidFloor(boundaryMs)]);
  await deleteOldMailboxRows(client, uuidFloor(boundaryMs), signal);
  // Postgres detaches one partition of a table at a time: one that is pending must be finished before the next. Attempts go before the
  // events of their day, which their dead letters are kept with.
  old.sort(
    (a, b) =>
      Number(b.state === 'pending') - Number(a.state === 'pending') ||
      a.dayMs - b.dayMs ||
      a.parent.localeCompare(b.parent),
  );
  for (const partition of old) {
    signal?.throwIfAborted();
    // To its end: dead letters of a day that is detached are out of sight until they are copied.
    await detachPartition(client, partition, keptMs);
    // Until the last of them was detached, replays and retries could read these days, and queue deliveries of them: nobody could ever settle these. They go
    // while a table is left to tell the next call of them, should this one be interrupted.
    if (partition === old.at(-1)) await deleteWhatIsLeft(client, uuidFloor(boundaryMs), signal);
    await client.query(`DROP TABLE IF EXISTS "${partition.name}"`);
  }
  return old.map(({ name }) => name);
}

/** What was said of deliveries goes after them: without it, those that were set aside would be sent, and events to try an endpoint with be replayed to others. */
async function deleteWhatIsLeft(
  client: pg.ClientBase,
  beforeUuid: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await deleteOldMailboxRows(client, beforeUuid, signal);
  await client.query('DELETE FROM poisoned_deliveries WHERE event_id < $1', [beforeUuid]);
  await forgetTestEvents(client, beforeUuid);
  await forgetRestored(client, beforeUuid);
}

/** Start of the oldest day that is kept, in ms since 1970: nothing younger than `retentionDays` is ever dropped. */
export function retentionBoundary(nowMs: number, retentionDays: number): number {
  return startOfDay(nowMs - retentionDays * DAY_MS);
}

async function detachPartition(client: pg.ClientBase, partition: Partition, keptMs: number): Promise<void> {
  const { parent, name, state, dayMs } = partition;
  const hasDeadLetters = parent === 'attempts' && dayMs >= keptMs;
  const isMoved = state === 'attached' && hasDeadLetters && (await detachWithLetters(client, parent, name));
  // Neither form may run inside a transaction; neither locks the parent against reads or writes. Of a day that is too much in use to be moved
  // at one moment the dead letters are out of sight until they are copied.
  if (state === 'attached' && !isMoved)
    await client.query(`ALTER TABLE "${parent}" DETACH PARTITION "${name}" CONCURRENTLY`);
  if (state === 'pending') {
    // Nobody reads it any more, and what holds the detachment up may do so for long: dead letters must not be out of sight as long.
    if (hasDeadLetters) await keepDeadLetters(client, name);
    await client.query(`ALTER TABLE "${parent}" DETACH PARTITION "${name}" FINALIZE`);
  }
  if (hasDeadLetters && !isMoved) await keepDeadLetters(client, name);
}

const IS_OLD = 'ctid >= $1::tid AND ctid < $2::tid AND event_id < $3::uuid';
// What was never sent is not done: it leaves its replay's `queued` too. Replays are locked before their deliveries, as a cancellation does. Both are found in one
// snapshot, and no delivery goes over to another replay, so that none is met whose replay is not locked.
const DELETE_OLD = `
  WITH replaying AS MATERIALIZED (
    SELECT num FROM replays
     WHERE num = ANY(ARRAY(SELECT DISTINCT replay_num FROM mailbox WHERE ${IS_OLD} AND replay_num IS NOT NULL)) ORDER BY num FOR NO KEY UPDATE
  ),
  old AS MATERIALIZED (
    SELECT endpoint_num, event_id FROM mailbox WHERE ${IS_OLD} AND (SELECT count(*) FROM replaying) >= 0
     ORDER BY endpoint_num, event_id FOR UPDATE
  ),
  deleted AS (
    DELETE FROM mailbox m USING old o WHERE ${isDeliveryOf('m', 'o')}
    RETURNING m.endpoint_num, m.event_id, m.order_key, m.seq, m.paused_at, m.replay_num
  ),
  ${pauseAgain('deleted')},
  counted AS (
    UPDATE replays r SET queued = r.queued - d.count
      FROM (SELECT replay_num, count(*) FROM deleted WHERE replay_num IS NOT NULL GROUP BY replay_num) d WHERE r.num = d.replay_num
  )
  SELECT endpoint_num, order_key FROM deleted`;

/** One pass over the table by page ranges: no index leads with the event, and every statement stays bounded. */
async function deleteOldMailboxRows(
  client: pg.ClientBase,
  beforeUuid: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { rows } = await client.query<{ pages: number }>(
    `SELECT (pg_relation_size('mailbox') / current_setting('block_size')::int)::int AS pages`,
  );
  const pages = rows[0]?.pages ?? 0;
  for (let page = 0; page < pages; page += MAILBOX_PAGES) {
    signal?.throwIfAborted();
    const { rows: deleted } = await client.query<{ endpoint_num: number; order_key: number | null }>(DELETE_OLD, [
      `(${page},0)`,
      `(${page + MAILBOX_PAGES},0)`,
      beforeUuid,
    ]);
    await promoteInParts(client, orderKeysOf(deleted));
  }
}
