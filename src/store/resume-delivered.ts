import type pg from 'pg';
import { DECISION } from './codes.ts';
import { byKey } from './delivery-keys.ts';
import { type OrderKey, orderKeysOf } from './order.ts';
import { plainArray } from './plain-array.ts';
import type { SettledAttempt } from './settle.ts';

// A dead letter with a later number pauses the key anew: the attempt may be written twice, if the answer to the first time was lost.
const RESUME = `
  DELETE FROM paused_keys p USING unnest($1::int[], $2::uuid[], $3::smallint[]) AS g(endpoint_num, event_id, attempt)
   WHERE p.endpoint_num = g.endpoint_num AND p.event_id = g.event_id
     AND NOT EXISTS (SELECT FROM attempts a WHERE a.event_id = g.event_id AND a.endpoint_num = g.endpoint_num AND a.attempt > g.attempt
                        AND a.decision = ${DECISION.deadLetter})
  RETURNING p.endpoint_num, p.order_key`;

/**
 * Resumes keys that wait for a dead letter which the receiver took after all: its redrive was withdrawn while the request was under way.
 * Call it after the attempts are written: their statement may have waited for the withdrawal, and did not see it.
 * @returns the resumed keys; whoever owns their lane asks the table who is next
 */
export async function resumeDelivered(
  pool: pg.Pool,
  attempts: readonly SettledAttempt[],
): Promise<readonly OrderKey[]> {
  const delivered = attempts.filter(({ decision }) => decision.kind === 'done').sort(byKey);
  if (delivered.length === 0) return [];
  const { rows } = await pool.query<{ endpoint_num: number; order_key: number }>(RESUME, [
    plainArray(delivered.map(({ endpointNum }) => endpointNum)),
    plainArray(delivered.map(({ eventUuid }) => eventUuid)),
    plainArray(delivered.map(({ attempt }) => attempt)),
  ]);
  return orderKeysOf(rows);
}
