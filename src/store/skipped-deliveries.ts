import { DECISION } from './codes.ts';
import { REASON } from './dead-letter-reason.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';
import { decisionOf, type HeldReplay, LAST_END, lastReason, type QueueInput } from './replay-chunk.ts';

// The same choice as in `QUEUE` of replay-chunk.ts. Dead letters whose day was dropped are where they were: nobody brings them back for an
// endpoint that is disabled.
const COUNT = `
  SELECT count(*)::int AS skipped
    FROM (
      SELECT p.id AS event_id, a.endpoint_num, a.ended, a.reason
        FROM unnest($2::uuid[]) AS p(id)
       CROSS JOIN LATERAL (
         SELECT endpoint_num, ${LAST_END} AS ended,
                ${lastReason('$5')} AS reason
           FROM attempts a WHERE event_id = p.id AND tenant_num = $1 AND endpoint_num = ANY($3::int[]) GROUP BY endpoint_num
       ) a
      UNION ALL
      SELECT a.event_id, a.endpoint_num, ${DECISION.deadLetter}, CASE WHEN $5::text IS NULL THEN NULL ELSE ${REASON} END
        FROM kept_dead_letters a WHERE a.tenant_num = $1 AND a.event_id = ANY($2::uuid[]) AND a.endpoint_num = ANY($3::int[])
    ) c
   WHERE ($4::smallint IS NULL OR c.ended = $4) AND ($5::text IS NULL OR c.reason = $5)
     AND ($6::uuid[] IS NULL OR (c.event_id, c.endpoint_num) IN (SELECT * FROM unnest($6::uuid[], $7::int[])))
     AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.endpoint_num = c.endpoint_num AND m.event_id = c.event_id)`;

/**
 * Counts deliveries that a replay would make again if their endpoints were not disabled. Events in `again` twice would be counted twice.
 * @param disabled numbers of the tenant's endpoints that are; where there is none, nothing is asked
 */
export async function countSkipped(
  client: Queryable,
  { tenantNum, plan }: HeldReplay,
  { again, only }: Pick<QueueInput, 'again' | 'only'>,
  disabled: readonly number[],
): Promise<number> {
  if (disabled.length === 0 || again.length === 0) return 0;
  const { rows } = await client.query<{ skipped: number }>(COUNT, [
    tenantNum,
    plainArray(again),
    plainArray(disabled),
    plan.status === null ? null : decisionOf(plan.status),
    plan.reason ?? null,
    only === null ? null : plainArray(only.map((key) => key.eventUuid)),
    plainArray((only ?? []).map((key) => key.endpointNum)),
  ]);
  return rows[0]!.skipped;
}
