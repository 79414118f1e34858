import { DECISION, OUTCOME_CODES } from './codes.ts';
import type { Queryable } from './in-transaction.ts';
import { orderKeysOf, promote } from './order.ts';

/** Dead letters that one statement copies: each may bring an event of megabytes. */
const COPIED_PER_STATEMENT = 100;
const FORGOTTEN_PER_STATEMENT = 1_000;

const ATTEMPT =
  'attempt, started_at, outcome, status, dns_ms, connect_ms, first_byte_ms, total_ms, detail, response_headers, response_body';

// Rows of events are locked for the copy: an expunge either comes before, and what is copied is without the payload, or waits, and then
// finds the copy too.
// What was copied is deleted from the day, which nobody reads any more, in the same statement: a copy that begins anew finds what is left. A letter that was purged
// or brought back since would be one again. All entries that gave the delivery up go, lest an older one of them be found the next time.
// Only what was deleted is copied: who delivered it meanwhile may have struck it (src/store/forget-delivered.ts).
const keep = (table: string) => `
  WITH looked AS MATERIALIZED (
    SELECT tenant_num, event_id, endpoint_num, attempt FROM "${table}"
     WHERE decision = ${DECISION.deadLetter} AND (tenant_num, event_id, endpoint_num, attempt) > ($1, $2::uuid, $3, $4::smallint)
     ORDER BY tenant_num, event_id, endpoint_num, attempt LIMIT ${COPIED_PER_STATEMENT}
  ),
  letters AS MATERIALIZED (
    SELECT a.*, (SELECT count(*) FROM "${table}" c WHERE c.event_id = k.event_id AND c.endpoint_num = k.endpoint_num AND c.outcome <> ${OUTCOME_CODES.skipped}) AS requests
      FROM (SELECT DISTINCT tenant_num, event_id, endpoint_num FROM looked) k
      JOIN tenants t ON t.num = k.tenant_num AND t.deleted_at IS NULL
      JOIN LATERAL (
        SELECT * FROM "${table}" a
         WHERE a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.decision IN (${DECISION.done}, ${DECISION.deadLetter}, ${DECISION.cancel})
         ORDER BY a.attempt DESC LIMIT 1
      ) a ON a.decision = ${DECISION.deadLetter}
  ),
  locked AS MATERIALIZED (SELECT v.* FROM events v WHERE v.id IN (SELECT event_id FROM letters) FOR SHARE OF v),
  struck AS (
    DELETE FROM "${table}" a USING letters l
     WHERE a.event_id = l.event_id AND a.endpoint_num = l.endpoint_num AND a.decision = ${DECISION.deadLetter} AND l.event_id IN (SELECT id FROM locked)
    RETURNING a.event_id, a.endpoint_num, a.attempt
  ),
  kept AS (
    INSERT INTO kept_events (id, tenant_num, type, subject, external_id, body, expunged_at)
    SELECT id, tenant_num, type, subject, external_id, body, expunged_at FROM locked WHERE id IN (SELECT event_id FROM struck)
    ON CONFLICT DO NOTHING
  ),
  copied AS (
    INSERT INTO kept_dead_letters (event_id, endpoint_num, tenant_num, requests, ${ATTEMPT})
    SELECT event_id, endpoint_num, tenant_num, requests, ${ATTEMPT} FROM letters
     WHERE (event_id, endpoint_num, attempt) IN (SELECT event_id, endpoint_num, attempt FROM struck)
    ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT k.tenant_num, k.event_id, k.endpoint_num, k.attempt, (SELECT count(*)::int FROM looked) AS looked, (SELECT count(*)::int FROM copied) AS copied
    FROM looked k ORDER BY 1 DESC, 2 DESC, 3 DESC, 4 DESC LIMIT 1`;

interface Step {
  tenant_num: number;
  event_id: string;
  endpoint_num: number;
  attempt: number;
  looked: number;
  copied: number;
}

/**
 * Moves the dead letters out of a day of attempts that nobody reads or writes any more, with copies of their events, which are still in the log.
 * Done again, it goes on where it was interrupted.
 * @param table the detached partition
 * @returns how many were copied
 */
export async function keepDeadLetters(client: Queryable, table: string): Promise<number> {
  let after: unknown[] = [0, '00000000-0000-0000-0000-000000000000', 0, 0];
  for (let total = 0; ; ) {
    const { rows } = await client.query<Step>(keep(table), after);
    const [step] = rows;
    total += step?.copied ?? 0;
    if (step === undefined || step.looked < COPIED_PER_STATEMENT) return total;
    after = [step.tenant_num, step.event_id, step.endpoint_num, step.attempt];
  }
}

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

/** Drops kept events that have no dead letter any more. @param uuids a Postgres array literal */
export async function dropUnusedEvents(client: Queryable, uuids: string): Promise<void> {
  await client.query(
    `DELETE FROM kept_events v WHERE v.id = ANY($1::uuid[]) AND NOT EXISTS (SELECT 1 FROM kept_dead_letters d WHERE d.event_id = v.id)`,
    [uuids],
  );
}
