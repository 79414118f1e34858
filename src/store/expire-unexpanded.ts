import type pg from 'pg';
import type { Expiry } from './expire-deliveries.ts';
import type { ExpiredDeliveries } from './expired-counts.ts';
import { EXPIRED_COUNTS, EXPIRED_ENDS, HOW_IT_ENDS } from './expired-ends.ts';
import { Portion } from './portion.ts';
import { WITH_SHORT_WAITS } from './short-waits.ts';

/** Deliveries that one statement ends. */
const ENDED_PER_STATEMENT = 1_000;
/** Events that one statement is about: those of large batches have few deliveries each. */
const MAX_EVENTS = 32;

// Rows are taken as workers take them to expand (see `HOLD` in expansions.ts), except that one which a worker has locked is waited for:
// what that worker has written is in the mailbox then. Each delivery is ended only once, because the row that names it moves on in the same
// statement.
const EXPIRE = `
  WITH held AS MATERIALIZED (
    SELECT event_id, tenant_num, endpoints, next, size FROM expansions WHERE event_id >= $1::uuid AND event_id < $2::uuid AND ${WITH_SHORT_WAITS} ORDER BY event_id LIMIT least(${MAX_EVENTS}, $3::int) FOR UPDATE
  ),
  placed AS (
    SELECT *, sum(least(size - next, $3::int)) OVER (ORDER BY event_id) - least(size - next, $3::int) AS taken FROM held
  ),
  part AS MATERIALIZED (
    SELECT event_id, tenant_num, next, size, endpoints[next + 1:next + ($3::int - taken)::int] AS nums FROM placed WHERE taken < $3::int
  ),
  advanced AS (
    UPDATE expansions x SET next = p.next + cardinality(p.nums) FROM part p WHERE x.event_id = p.event_id AND p.next + cardinality(p.nums) < p.size
  ),
  finished AS (
    DELETE FROM expansions x USING part p WHERE x.event_id = p.event_id AND p.next + cardinality(p.nums) >= p.size
  ),
  fates AS MATERIALIZED (
    SELECT p.event_id, p.tenant_num, p.endpoint_num, 0 AS attempt, v.type, ${HOW_IT_ENDS} AS detail
      FROM (SELECT event_id, tenant_num, unnest(nums) AS endpoint_num FROM part) p
      LEFT JOIN endpoints e ON e.num = ANY (ARRAY[p.endpoint_num])
      LEFT JOIN LATERAL (SELECT type, expunged_at FROM events WHERE id = p.event_id AND id >= $1::uuid AND id < $2::uuid LIMIT 1) v ON true
  ),
  ${EXPIRED_ENDS}
  SELECT (SELECT count(*)::int FROM held) AS held, ${EXPIRED_COUNTS} AS expired`;

const DELETE_SOME = `DELETE FROM expansions WHERE event_id = ANY(ARRAY(SELECT event_id FROM expansions WHERE event_id < $1::uuid AND ${WITH_SHORT_WAITS} ORDER BY event_id LIMIT $2))`;

interface Step {
  /** Events that were found. */
  held: number;
  expired: readonly ExpiredDeliveries[] | null;
}

/**
 * Ends deliveries of old events that were still to be written into the mailbox, as `expireDeliveries` ends those that are in it. To be
 * called before that one, which then finds what was written into the mailbox meanwhile.
 * @throws the signal's reason
 */
export async function expireUnexpanded(
  client: pg.ClientBase,
  { beforeUuid, days, counts, signal }: Expiry,
): Promise<void> {
  const portion = new Portion(ENDED_PER_STATEMENT);
  const ask = <T extends pg.QueryResultRow>(text: string, values: (most: number) => unknown[]) =>
    portion.run((most) => client.query<T>(text, values(most)), signal);
  for (const { from, to } of days) {
    for (let held = 1; held > 0; ) {
      const { rows } = await ask<Step>(EXPIRE, (most) => [from, to, most]);
      counts.add(rows[0]!.expired);
      held = rows[0]!.held;
    }
  }
  // Of other days nothing can be written.
  for (let deleted = 1; deleted > 0; ) deleted = (await ask(DELETE_SOME, (most) => [beforeUuid, most])).rowCount ?? 0;
}
