import type pg from 'pg';
import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import { byKey } from './delivery-keys.ts';
import { byLogDay, type LogDay } from './log-days.ts';
import { plainArray } from './plain-array.ts';
import type { SettledAttempt } from './settle.ts';

const OVERRULE = `
  WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::smallint[]) AS g(event_id, endpoint_num, attempt)
  ),
  overruled AS MATERIALIZED (
    SELECT g.event_id, g.endpoint_num, g.attempt,
           own.decision = ${DECISION.done} AND bool_and(a.outcome = ${OUTCOME_CODES.skipped} AND a.detail = 'replay_cancelled') AS was_taken
      FROM given g
      JOIN attempts own ON own.event_id = g.event_id AND own.endpoint_num = g.endpoint_num AND own.attempt = g.attempt AND own.event_id >= $4::uuid AND own.event_id < $5::uuid
      JOIN attempts a ON a.event_id = g.event_id AND a.endpoint_num = g.endpoint_num AND a.attempt > g.attempt AND a.event_id >= $4::uuid AND a.event_id < $5::uuid
     WHERE own.decision IN (${DECISION.done}, ${DECISION.cancel}) AND a.${ENDING}
     GROUP BY 1, 2, 3, own.decision
  )
  UPDATE attempts a SET decision = ${DECISION.late} FROM overruled o
   WHERE a.event_id >= $4::uuid AND a.event_id < $5::uuid AND a.event_id = o.event_id AND a.endpoint_num = o.endpoint_num AND a.${ENDING}
     AND CASE WHEN o.was_taken THEN a.attempt > o.attempt ELSE a.attempt = o.attempt END`;

/**
 * Of two ends of one delivery lets one count. Replayed deliveries say how they ended though they had left the mailbox: where somebody cancelled the delivery itself meanwhile, that
 * holds, and the attempt is late. Where only its replay was cancelled and the receiver took it, it is delivered, and that cancellation came too late. To be called when the
 * attempts are written. Should the process die before, the one with the highest number counts.
 * @param attempts those whose delivery had left the mailbox or moved on
 */
export async function overruleEnds(pool: pg.Pool, attempts: readonly SettledAttempt[]): Promise<void> {
  const ends = attempts.filter(
    ({ isReplay, decision, attempt }) => isReplay && (decision.kind === 'done' || attempt === 1),
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
  ]);
}
