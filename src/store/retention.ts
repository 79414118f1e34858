import type pg from 'pg';
import { uuidFloor } from '../domain/ids.ts';
import { keepDeadLetters } from './copy-dead-letters.ts';
import { detachWithLetters } from './detach-with-letters.ts';
import { type Expiry, expireDeliveries } from './expire-deliveries.ts';
import { expireUnexpanded } from './expire-unexpanded.ts';
import { ExpiredCounts, type ExpiredDeliveries } from './expired-counts.ts';
import { listPartitions, type Partition, startOfDay } from './partitions.ts';
import { forgetRestored } from './restore-kept.ts';
import { forgetTestEvents } from './test-events.ts';
import { writableDays } from './writable-days.ts';

const DAY_MS = 86_400_000;

/** Held while a process drops partitions, so that two do not detach the same one. Any fixed number will do; 7404 is ours. */
const RETENTION_LOCK = 7404;

export interface DropOptions {
  /** Ends it between two statements. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called about once a minute with the deliveries that expired since the last call, the largest counts first, and once more at the end,
   * also when the drop fails. Not called when nothing has expired.
   */
  readonly onExpired?: (expired: readonly ExpiredDeliveries[]) => void;
}

/**
 * Drops the days that are wholly older than the retention. What still waited for delivery of them expires: it is a dead letter like theirs, which are kept
 * elsewhere. Interrupted at any point, the next call goes on: a half-done detachment is finished, and a table that was detached but not dropped is dropped.
 * @param deadLetterDays dead letters of days that are older than this are not kept either
 * @returns the names of the tables that were dropped; 'left' while another process is at it.
 * @throws the signal's reason
 */
export async function dropOldPartitions(
  pool: pg.Pool,
  nowMs: number,
  retentionDays: number,
  deadLetterDays: number,
  { signal, onExpired }: DropOptions = {},
): Promise<readonly string[] | 'left'> {
  const boundaryMs = retentionBoundary(nowMs, retentionDays);
  if (!(await listPartitions(pool)).some(({ dayMs }) => dayMs < boundaryMs)) return [];
  const client = await pool.connect();
  const counts = new ExpiredCounts(onExpired);
  let broken = true;
  try {
    const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RETENTION_LOCK]);
    const keptMs = retentionBoundary(nowMs, deadLetterDays);
    const isAlone = lock.rows[0]?.taken === true;
    const dropped = isAlone ? await dropBefore(client, { boundaryMs, keptMs, counts, signal }) : 'left';
    if (isAlone) await client.query('SELECT pg_advisory_unlock($1)', [RETENTION_LOCK]);
    broken = false;
    return dropped;
  } finally {
    // Closing the connection gives the lock back too.
    client.release(broken);
    counts.tell();
  }
}

interface Drop {
  readonly boundaryMs: number;
  /** Dead letters of older days are not kept. */
  readonly keptMs: number;
  readonly counts: ExpiredCounts;
  readonly signal: AbortSignal | undefined;
}

async function dropBefore(
  client: pg.ClientBase,
  { boundaryMs, keptMs, counts, signal }: Drop,
): Promise<readonly string[]> {
  const old = (await listPartitions(client)).filter(({ dayMs }) => dayMs < boundaryMs);
  const expiry: Expiry = { beforeUuid: uuidFloor(boundaryMs), days: writableDays(old), counts, signal };
  await expireUnexpanded(client, expiry);
  await expireDeliveries(client, expiry);
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
    if (partition === old.at(-1)) await deleteWhatIsLeft(client, { ...expiry, days: [] });
    await client.query(`DROP TABLE IF EXISTS "${partition.name}"`);
  }
  return old.map(({ name }) => name);
}

/**
 * Deletes the deliveries that are left, and only after them the notes about them: without these, a delivery that was set aside would be
 * sent, and an event that was made to try one endpoint would be replayed to others.
 */
async function deleteWhatIsLeft(client: pg.ClientBase, expiry: Expiry): Promise<void> {
  const { beforeUuid } = expiry;
  await expireDeliveries(client, expiry);
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
