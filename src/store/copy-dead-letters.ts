import type pg from 'pg';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import type { Queryable } from './in-transaction.ts';
import { Portion } from './portion.ts';
import { withShortWaits } from './short-waits.ts';

/** Dead letters that one statement copies: each may bring an event of megabytes. */
const COPIED_PER_STATEMENT = 100;
// Dead letters are read in the order of their index, and sorted within an event alone. Where statistics say that there are few or none,
// Postgres would sort all that are left for each part that is copied. For the same reason the entries of each letter are looked up first
// (OFFSET 0) and then deleted by their place (+ 0), and not the other way round.
// Where it must sort all the same, Postgres takes that for so expensive now that it would compile the statement, which is not worth it:
// hence no JIT.
const IN_ORDER_OF_INDEX = 'SET LOCAL enable_sort = off; SET LOCAL jit = off';

const ATTEMPT =
  'attempt, started_at, outcome, status, dns_ms, connect_ms, first_byte_ms, total_ms, detail, response_headers, response_body';

// Rows of events are locked for the copy: an expunge either comes before, and what is copied is without the payload, or waits, and then
// finds the copy too.
// What was copied is deleted from the day, which nobody reads any more, in the same statement: a copy that begins anew finds what is left.
// Otherwise a letter that was purged or brought back since would become a letter again. All entries that gave the delivery up are deleted,
// lest the next run find an older one of them.
// Only what was deleted is copied: who delivered it meanwhile may have struck it (src/store/forget-delivered.ts).
// An event that is kept already, for another letter, is locked by an update that changes nothing: so nobody drops it as unused before the
// letters of this statement can be seen.
const keep = (table: string) => `
  WITH looked AS MATERIALIZED (
    SELECT tenant_num, event_id, endpoint_num, attempt FROM "${table}"
     WHERE decision = ${DECISION.deadLetter} AND (tenant_num, event_id, endpoint_num, attempt) > ($1, $2::uuid, $3, $4::smallint)
     ORDER BY tenant_num, event_id, endpoint_num, attempt LIMIT $5
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
    DELETE FROM "${table}" a WHERE a.decision + 0 = ${DECISION.deadLetter} AND a.ctid = ANY(ARRAY(
      SELECT e.row FROM letters l JOIN LATERAL (
        SELECT ctid AS row FROM "${table}" e
         WHERE e.tenant_num = l.tenant_num AND e.event_id = l.event_id AND e.endpoint_num = l.endpoint_num AND e.decision = ${DECISION.deadLetter} OFFSET 0
      ) e ON true
       WHERE l.event_id IN (SELECT id FROM locked)
    ))
    RETURNING a.event_id, a.endpoint_num, a.attempt
  ),
  kept AS (
    INSERT INTO kept_events (id, tenant_num, type, subject, external_id, body, expunged_at)
    SELECT id, tenant_num, type, subject, external_id, body, expunged_at FROM locked WHERE id IN (SELECT event_id FROM struck) ORDER BY id
    ON CONFLICT (id) DO UPDATE SET type = excluded.type WHERE false
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

type Position = readonly [tenantNum: number, eventUuid: string, endpointNum: number, attempt: number];

const START: Position = [0, '00000000-0000-0000-0000-000000000000', 0, 0];

/** Behind which dead letter the next part begins; null when none is left. */
interface Part {
  readonly copied: number;
  readonly next: Position | null;
}

/**
 * Moves the dead letters out of a day of attempts that nobody reads or writes any more, with copies of their events, which are still in the
 * log. Each part is a transaction of its own; called again, it goes on where it was interrupted. Whoever delivers some of the letters
 * meanwhile may be in the way of a part: it is tried again. A part that takes too long is tried with half as many letters.
 * @param table the detached partition
 * @returns how many were copied
 */
export async function keepDeadLetters(client: pg.ClientBase, table: string): Promise<number> {
  const portion = new Portion(COPIED_PER_STATEMENT);
  let total = 0;
  for (let after: Position | null = START; after !== null; ) {
    const begin: Position = after;
    const part: Part = await portion.run((most) => keepAlone(client, table, begin, most));
    total += part.copied;
    after = part.next;
  }
  return total;
}

/** The same in the caller's transaction: all of them or none. */
export async function keepTogether(client: pg.ClientBase, table: string): Promise<void> {
  await client.query(IN_ORDER_OF_INDEX);
  for (let after: Position | null = START; after !== null; )
    after = (await keepPart(client, table, after, COPIED_PER_STATEMENT)).next;
}

async function keepAlone(client: pg.ClientBase, table: string, after: Position, most: number): Promise<Part> {
  return withShortWaits(client, async () => {
    await client.query(IN_ORDER_OF_INDEX);
    return keepPart(client, table, after, most);
  });
}

async function keepPart(client: Queryable, table: string, after: Position, most: number): Promise<Part> {
  const { rows } = await client.query<Step>(keep(table), [...after, most]);
  const [step] = rows;
  if (step === undefined) return { copied: 0, next: null };
  const { tenant_num, event_id, endpoint_num, attempt, looked, copied } = step;
  return { copied, next: looked < most ? null : [tenant_num, event_id, endpoint_num, attempt] };
}
