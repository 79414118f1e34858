import type pg from 'pg';
import type { Queryable } from './in-transaction.ts';
import { orderKeysOf, promote } from './order.ts';

const FORGOTTEN_PER_STATEMENT = 1_000;

/**
 * Forgets kept dead letters of events older than this UUID, in bounded statements.
 * @param signal ends it after the statement that is under way
 * @returns how many were forgotten
 */
export async function forgetDeadLetters(db: Queryable, beforeUuid: string, signal?: AbortSignal): Promise<number> {
  const total = await deleteInChunks(db, ['kept_dead_letters', 'event_id'], beforeUuid, signal);
  // Letters go before their events.
  if (signal?.aborted !== true) await deleteInChunks(db, ['kept_events', 'id'], beforeUuid, signal);
  if (signal?.aborted === true) return total;
  await forgetPauses(db, beforeUuid, signal);
  return total;
}

// All keys are gone through in the order of their index: there is none by events.
const FORGET_PAUSES = `
  WITH looked AS MATERIALIZED (
    SELECT ctid AS row, endpoint_num, order_key, event_id FROM paused_keys WHERE (endpoint_num, order_key) > ($2::int, $3::int)
     ORDER BY endpoint_num, order_key LIMIT ${FORGOTTEN_PER_STATEMENT}
  ),
  gone AS (
    DELETE FROM paused_keys WHERE ctid = ANY(ARRAY(SELECT row FROM looked WHERE event_id < $1::uuid)) AND event_id < $1::uuid
    RETURNING endpoint_num, order_key
  )
  SELECT l.endpoint_num, l.order_key, g.order_key IS NOT NULL AS is_gone
    FROM looked l LEFT JOIN gone g USING (endpoint_num, order_key) ORDER BY 1, 2`;

/** What stood behind a forgotten dead letter in order would wait for ever: nobody can decide on it any more. */
async function forgetPauses(db: Queryable, beforeUuid: string, signal: AbortSignal | undefined): Promise<void> {
  let [endpoint, key]: [number, number] = [0, 0];
  while (signal?.aborted !== true) {
    const { rows } = await db.query<{ endpoint_num: number; order_key: number; is_gone: boolean }>(FORGET_PAUSES, [
      beforeUuid,
      endpoint,
      key,
    ]);
    await promote(db, orderKeysOf(rows.filter((row) => row.is_gone)));
    const last = rows.at(-1);
    if (last === undefined || rows.length < FORGOTTEN_PER_STATEMENT) return;
    [endpoint, key] = [last.endpoint_num, last.order_key];
  }
}

async function deleteInChunks(
  db: Queryable,
  [table, column]: readonly [table: string, column: string],
  beforeUuid: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (let total = 0; ; ) {
    const { rowCount } = await db.query(
      `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${table} WHERE ${column} < $1::uuid LIMIT ${FORGOTTEN_PER_STATEMENT}))`,
      [beforeUuid],
    );
    total += rowCount ?? 0;
    if ((rowCount ?? 0) === 0 || signal?.aborted === true) return total;
  }
}

/**
 * Drops kept events that have no dead letter any more. Whoever keeps another dead letter of one of them has it locked
 * (src/store/copy-dead-letters.ts), and is waited for: only a statement that begins after that sees the letter.
 * @param client inside a transaction
 * @param uuids a Postgres array literal
 */
export async function dropUnusedEvents(client: pg.ClientBase, uuids: string): Promise<void> {
  await client.query('SELECT FROM kept_events WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE', [uuids]);
  await client.query(
    `DELETE FROM kept_events v WHERE v.id = ANY($1::uuid[]) AND NOT EXISTS (SELECT 1 FROM kept_dead_letters d WHERE d.event_id = v.id)`,
    [uuids],
  );
}
