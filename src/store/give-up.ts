import type pg from 'pg';
import { staysInMailbox } from '../domain/outcome.ts';
import { DECISION, decisionCode, NOTICE_CODES, outcomeCode } from './codes.ts';
import { isFaultOfData } from './data-errors.ts';
import { byKey } from './delivery-keys.ts';
import { forgetDelivered } from './forget-delivered.ts';
import { MAX_ATTEMPT } from './last-number.ts';
import { orderKeysOf, promote } from './order.ts';
import { pauseAgain } from './pause-again.ts';
import { plainArray } from './plain-array.ts';
import { isDeliveryOf } from './probe.ts';
import { resumeDelivered } from './resume-delivered.ts';
import type { SettledAttempt } from './settle.ts';

/** What became of a delivery whose attempt could not be recorded. */
export interface GivenUp {
  /** True: its key is paused, or may be. The next letter must not be freed from memory; the table decides. */
  readonly mayPauseKey: boolean;
  /** Whether it ended as a dead letter: not where it was delivered, was gone already, or went with the day of its event. */
  readonly isDeadLetter: boolean;
}

// The end gets the next free number. If that is past the highest that the column holds, it gets the highest, and replaces the attempt that is
// on record under it: otherwise nothing would say that the delivery has ended, and how. Tenants are told nothing of deliveries of system
// events: see `noticeOf`.
const GIVE_UP = `
  WITH removed AS (
    DELETE FROM mailbox WHERE endpoint_num = $1 AND event_id = $2 AND attempt = $3
    RETURNING endpoint_num, event_id, tenant_num, order_key, seq,
              least(greatest($3::int, (SELECT max(a.attempt) FROM attempts a WHERE a.event_id = $2 AND a.endpoint_num = $1)) + 1, ${MAX_ATTEMPT}) AS number
  ),
  appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, number, $4, $5, 'The record of this attempt was refused: ' || $6::text FROM removed
    ON CONFLICT (event_id, endpoint_num, attempt) DO UPDATE
       SET started_at = EXCLUDED.started_at, outcome = EXCLUDED.outcome, decision = EXCLUDED.decision, detail = EXCLUDED.detail, status = NULL,
           dns_ms = NULL, connect_ms = NULL, first_byte_ms = NULL, total_ms = NULL, response_headers = NULL, response_body = NULL, next_attempt_at = NULL
  ),
  told AS (
    INSERT INTO system_notices (tenant_num, endpoint_num, event_id, kind, attempt)
    SELECT r.tenant_num, r.endpoint_num, r.event_id, ${NOTICE_CODES['delivery.dead_lettered']}, r.number
      FROM removed r JOIN events v ON v.id = r.event_id
     WHERE $5 = ${DECISION.deadLetter} AND v.type <> 'system' AND v.type NOT LIKE 'system.%'
  ),
  pausing AS (
    SELECT r.* FROM removed r JOIN endpoints e ON e.num = r.endpoint_num
     WHERE r.order_key IS NOT NULL AND e.on_dead_letter = 'pause' AND $5 = ${DECISION.deadLetter}
  ),
  paused AS (
    INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq) SELECT endpoint_num, order_key, event_id, seq FROM pausing
    ON CONFLICT DO NOTHING
  )
  SELECT endpoint_num, order_key, EXISTS (SELECT FROM pausing) AS pauses FROM removed`;

interface Row {
  endpoint_num: number;
  order_key: number | null;
  pauses: boolean;
}

/**
 * Ends a delivery whose attempt Postgres refuses to record because of what is in it. Kept in the mailbox, it would be made for ever.
 * - A record without what may be at fault is written: as delivered if it was, else as a dead letter, which the tenant is told of.
 * - If even that is refused, because the day of its event was dropped meanwhile, the delivery goes with its event.
 * - The next delivery of its key is promoted, unless the key is paused.
 * @param reason the code of Postgres's error
 */
export async function giveUp(pool: pg.Pool, attempt: SettledAttempt, reason: string): Promise<GivenUp> {
  const { rows, isDeadLetter } = await end(pool, attempt, reason);
  // It was cancelled, or an earlier call ended it and its answer was lost: that call may have paused the key.
  if (rows[0] === undefined) return { mayPauseKey: true, isDeadLetter: false };
  const { pauses } = rows[0];
  if (!pauses) await promote(pool, orderKeysOf(rows));
  return { mayPauseKey: pauses, isDeadLetter };
}

/**
 * Ends deliveries whose day was dropped while their requests were under way. Nothing can be recorded of them.
 * - What expired when the day was dropped, or was a dead letter that somebody redrove, is a dead letter that outlives the day. If it was
 *   delivered, its copy is forgotten.
 * - What a replay had queued since goes with its event.
 * - A redriven dead letter that was not delivered pauses its key again, if its endpoint wants that. Of all other keys the next delivery is
 *   promoted.
 */
export async function endDeliveriesOfDroppedDays(pool: pg.Pool, attempts: readonly SettledAttempt[]): Promise<void> {
  await forgetDelivered(pool, attempts);
  await promote(pool, orderKeysOf(await removeFromMailbox(pool, attempts)));
  // The drop may have removed their rows before this, and paused their keys.
  await promote(pool, await resumeDelivered(pool, attempts));
}

const REMOVE = `
  WITH gone AS (
    DELETE FROM mailbox m USING unnest($1::int[], $2::uuid[], $3::smallint[], $4::boolean[]) AS g(endpoint_num, event_id, attempt, is_delivered)
     WHERE ${isDeliveryOf('m', 'g')} AND m.attempt = g.attempt
    RETURNING m.endpoint_num, m.event_id, m.order_key, m.seq, CASE WHEN NOT g.is_delivered THEN m.paused_at END AS paused_at
  ),
  ${pauseAgain('gone')}
  SELECT endpoint_num, order_key, paused_at IS NOT NULL AS pauses FROM gone`;

async function removeFromMailbox(pool: pg.Pool, attempts: readonly SettledAttempt[]): Promise<readonly Row[]> {
  const sorted = [...attempts].sort(byKey);
  const { rows } = await pool.query<Row>(REMOVE, [
    plainArray(sorted.map(({ endpointNum }) => endpointNum)),
    plainArray(sorted.map(({ eventUuid }) => eventUuid)),
    plainArray(sorted.map(({ attempt }) => attempt - 1)),
    sorted.map(({ decision }) => decision.kind === 'done'),
  ]);
  return rows;
}

async function end(
  pool: pg.Pool,
  attempt: SettledAttempt,
  reason: string,
): Promise<{ readonly rows: readonly Row[]; readonly isDeadLetter: boolean }> {
  const { outcome, decision } = attempt;
  const key = [attempt.endpointNum, attempt.eventUuid, attempt.attempt - 1];
  const final = staysInMailbox(decision) ? DECISION.deadLetter : decisionCode(decision);
  try {
    const { rows } = await pool.query<Row>(GIVE_UP, [...key, outcomeCode(outcome), final, reason]);
    return { rows, isDeadLetter: final === DECISION.deadLetter };
  } catch (error) {
    if (!isFaultOfData(error)) throw error;
    return { rows: await removeFromMailbox(pool, [attempt]), isDeadLetter: false };
  }
}
