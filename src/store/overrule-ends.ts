import type pg from 'pg';
import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import { EXPIRED } from './dead-letter-reason.ts';
import { byKey } from './delivery-keys.ts';
import { byLogDay, type LogDay } from './log-days.ts';
import { plainArray } from './plain-array.ts';
import { isDeliveryOf } from './probe.ts';
import type { SettledAttempt } from './settle.ts';

const OVERRULE = `
  WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::smallint[], $6::boolean[]) AS g(event_id, endpoint_num, attempt, is_replay)
  ),
  overruled AS MATERIALIZED (
    SELECT g.event_id, g.endpoint_num, g.attempt,
           own.outcome = ${OUTCOME_CODES.delivered} AND bool_and(a.outcome = ${OUTCOME_CODES.skipped} AND a.detail IN ('replay_cancelled', '${EXPIRED}')) AS was_taken
      FROM given g
      JOIN attempts own ON own.event_id = g.event_id AND own.endpoint_num = g.endpoint_num AND own.attempt = g.attempt AND own.event_id >= $4::uuid AND own.event_id < $5::uuid
      JOIN attempts a ON a.event_id = g.event_id AND a.endpoint_num = g.endpoint_num AND a.attempt > g.attempt AND a.event_id >= $4::uuid AND a.event_id < $5::uuid
     WHERE (g.is_replay AND own.decision IN (${DECISION.done}, ${DECISION.cancel}) OR own.decision = ${DECISION.late} AND own.outcome = ${OUTCOME_CODES.delivered}) AND a.${ENDING}
     GROUP BY 1, 2, 3, own.outcome
  ),
  redriven AS MATERIALIZED (
    SELECT g.event_id, g.endpoint_num, g.attempt
      FROM given g
      JOIN attempts own ON own.event_id = g.event_id AND own.endpoint_num = g.endpoint_num AND own.attempt = g.attempt AND own.event_id >= $4::uuid AND own.event_id < $5::uuid
     CROSS JOIN LATERAL (
       SELECT a.attempt, a.decision FROM attempts a
        WHERE a.event_id = g.event_id AND a.endpoint_num = g.endpoint_num AND a.event_id >= $4::uuid AND a.event_id < $5::uuid AND a.${ENDING}
        ORDER BY a.attempt DESC LIMIT 1
     ) last
     WHERE own.decision = ${DECISION.late} AND own.outcome = ${OUTCOME_CODES.delivered} AND last.decision = ${DECISION.deadLetter} AND last.attempt < g.attempt
       AND (SELECT true FROM mailbox m WHERE ${isDeliveryOf('m', 'g')}) IS NULL
  ),
  counting AS (SELECT * FROM overruled UNION ALL SELECT *, true FROM redriven)
  UPDATE attempts a SET decision = CASE WHEN o.was_taken AND a.attempt = o.attempt THEN ${DECISION.done} ELSE ${DECISION.late} END FROM counting o
   WHERE a.event_id >= $4::uuid AND a.event_id < $5::uuid AND a.event_id = o.event_id AND a.endpoint_num = o.endpoint_num
     AND CASE WHEN NOT o.was_taken THEN a.attempt = o.attempt AND a.${ENDING}
              ELSE a.attempt > o.attempt AND a.${ENDING} OR a.attempt = o.attempt AND a.decision = ${DECISION.late} END`;

/**
 * Decides which of two recorded ends of a delivery counts: that of the given attempt, or one that was written while its request was under
 * way. The other one is marked late, except in the last case: there the dead letter stays on record, and the later number counts.
 * - As a rule the later number counts. If somebody cancelled the delivery by hand, say, it stays cancelled.
 * - If the receiver took the attempt, it counts although the delivery's replay was cancelled, or the delivery expired, meanwhile.
 * - If the receiver took the attempt, it counts although an earlier dead letter is the last end on record: that was redriven, and left the
 *   mailbox without another end, because its day was dropped or its redrive withdrawn.
 *
 * Call it after the attempts are written. If the process dies before that, the highest number counts.
 * @param attempts late ones: their delivery had left the mailbox or moved on
 */
export async function overruleEnds(pool: pg.Pool, attempts: readonly SettledAttempt[]): Promise<void> {
  const ends = attempts.filter(
    ({ isReplay, decision, attempt }) => decision.kind === 'done' || (isReplay && attempt === 1),
  );
  ends.sort(byKey);
  for (const day of byLogDay(ends)) await overruleOn(pool, day);
}

async function overruleOn(pool: pg.Pool, { from, to, rows }: LogDay<SettledAttempt>): Promise<void> {
  await pool.query(OVERRULE, [
    plainArray(rows.map(({ eventUuid }) => eventUuid)),
    plainArray(rows.map(({ endpointNum }) => endpointNum)),
    plainArray(rows.map(({ attempt }) => attempt)),
    from,
    to,
    rows.map(({ isReplay }) => isReplay),
  ]);
}
