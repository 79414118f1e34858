import type pg from 'pg';
import { plainArray } from './plain-array.ts';
import { COLUMNS, type RejectionRow, type StoredRejection, toRejection } from './rejected-messages.ts';

/** Messages that were not taken, by their ids, and why. */
export type NotTaken = ReadonlyMap<string, string>;

/** How long one that was not taken waits, so that the others pass: the older it is the longer. */
const LATER = `least(interval '1 day', greatest(interval '5 minutes', (now() - m.rejected_at) / 2))`;

/**
 * Publishes some that are to be, oldest first, and notes that they were, in one transaction: when `publish` fails or the process dies they
 * stay to be published, so that each is published at least once. Those that it says were not taken wait a while, and hold nobody up.
 * @returns how many were published, and those that were not taken.
 */
export async function publishRejected(
  pool: pg.Pool,
  sourceNum: number,
  limit: number,
  publish: (messages: readonly StoredRejection[]) => Promise<NotTaken>,
): Promise<{ readonly published: number; readonly notTaken: NotTaken }> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<RejectionRow>(
      `SELECT ${COLUMNS} FROM rejected_messages
        WHERE source_num = $1 AND publish AND (publish_after IS NULL OR publish_after <= now())
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [sourceNum, limit],
    );
    const notTaken: NotTaken = rows.length === 0 ? new Map() : await publish(rows.map(toRejection));
    if (rows.length > 0) await note(client, rows, notTaken);
    await client.query('COMMIT');
    broken = false;
    return { published: rows.length - notTaken.size, notTaken };
  } finally {
    // Closing the connection rolls back.
    client.release(broken);
  }
}

async function note(client: pg.PoolClient, rows: readonly RejectionRow[], notTaken: NotTaken): Promise<void> {
  await client.query(
    `UPDATE rejected_messages AS m
        SET publish = n.error IS NOT NULL, publish_error = n.error,
            publish_after = CASE WHEN n.error IS NULL THEN NULL ELSE now() + ${LATER} END
       FROM unnest($1::uuid[], $2::text[]) AS n(id, error) WHERE m.id = n.id`,
    [plainArray(rows.map(({ id }) => id)), rows.map(({ id }) => notTaken.get(id) ?? null)],
  );
}
