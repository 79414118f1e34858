import type pg from 'pg';
import { DECISION } from './codes.ts';
import { byKey } from './delivery-keys.ts';
import { type OrderKey, orderKeysOf } from './order.ts';
import { plainArray } from './plain-array.ts';
import type { SettledAttempt } from './settle.ts';

// A dead letter of a later number is another one: the attempt may be written once more, when it is unknown whether it was.
const RESUME = `
  DELETE FROM paused_keys p USING unnest($1::int[], $2::uuid[], $3::smallint[]) AS g(endpoint_num, event_id, attempt)
   WHERE p.endpoint_num = g.endpoint_num AND p.event_id = g.event_id
     AND NOT EXISTS (SELECT FROM attempts a WHERE a.event_id = g.event_id AND a.endpoint_num = g.endpoint_num AND a.attempt > g.attempt
                        AND a.decision = ${DECISION.deadLetter})
  RETURNING p.endpoint_num, p.order_key`;

/**
 * Lets keys go on that wait for a dead letter whose redrive was withdrawn while its request was under way, and that the receiver took
 * after all. To be called when the attempts are written: a withdrawal that they waited for is seen only then.
 * @returns the keys; whoever holds their lane asks who is next
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
