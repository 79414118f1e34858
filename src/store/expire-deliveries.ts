import type pg from 'pg';
import { DECISION, ENDING } from './codes.ts';
import { EXPIRED } from './dead-letter-reason.ts';
import type { ExpiredCounts, ExpiredDeliveries } from './expired-counts.ts';
import { EXPIRED_COUNTS, EXPIRED_ENDS, HOW_IT_ENDS } from './expired-ends.ts';
import { orderKeysOf, promote } from './order.ts';
import { plainArray } from './plain-array.ts';
import { Portion } from './portion.ts';
import { isDeliveryOf } from './probe.ts';
import { WITH_SHORT_WAITS, withShortWaits } from './short-waits.ts';
import { withRetries } from './with-retries.ts';
import type { DayRange } from './writable-days.ts';

/**
 * Pages of the mailbox that one statement looks at, with some 25,000 rows at the most: few enough for it to end well within the time that a
 * statement has, on slow disks too.
 */
const MAILBOX_PAGES = 200;
/** Deliveries that one statement ends: the settles of all tenants that share a batch with one of them wait for it. */
const ENDED_PER_STATEMENT = 1_000;
/**
 * How often the table is looked through at the most, however many deliveries move to where it was looked already: somebody who calls the
 * API all the while must not keep days for ever.
 */
const MAX_PASSES = 10;

export interface Expiry {
  /** Of events before this UUID. */
  readonly beforeUuid: string;
  /** Where ends can be written. What is elsewhere has had its end, or was queued by a replay while its day was dropped, and goes as it is. */
  readonly days: readonly DayRange[];
  readonly counts: ExpiredCounts;
  readonly signal: AbortSignal | undefined;
}

const IS_OLD = 'ctid >= $1::tid AND ctid < $2::tid AND event_id < $3::uuid';

// A delivery that was delivered or given up before, and was queued again since by a replay or a retry, goes back to that earlier end
// without a new record, as where the replay is cancelled. In the same way one that was never sent for its replay no longer counts in the
// replay's `queued`. Replays are locked before their deliveries, as a cancellation locks them. Both are found in one snapshot, and no
// delivery goes over to another replay, so that none is met whose replay is not locked.
// A key pauses at the first of its deliveries that becomes a dead letter, or is one again, unless younger ones go before it because a
// replay put it behind them. It is enough that the key's head is old: the head leaves the mailbox too, in this statement or in a later one.
const EXPIRE = `
  WITH replaying AS MATERIALIZED (
    SELECT num FROM replays
     WHERE num = ANY(ARRAY(SELECT DISTINCT replay_num FROM mailbox WHERE ${IS_OLD} AND replay_num IS NOT NULL)) AND ${WITH_SHORT_WAITS} ORDER BY num FOR NO KEY UPDATE
  ),
  old AS MATERIALIZED (
    SELECT endpoint_num, event_id FROM mailbox WHERE ${IS_OLD} AND (SELECT count(*) FROM replaying) >= 0
     ORDER BY endpoint_num, event_id LIMIT $6 FOR UPDATE
  ),
  deleted AS (
    DELETE FROM mailbox m USING old o WHERE ${isDeliveryOf('m', 'o')}
    RETURNING m.endpoint_num, m.event_id, m.tenant_num, m.attempt, m.order_key, m.seq, m.paused_at, m.replay_num
  ),
  fates AS MATERIALIZED (
    SELECT d.*, v.type,
           CASE WHEN EXISTS (SELECT FROM unnest($4::uuid[], $5::uuid[]) AS day("from", "to") WHERE d.event_id >= day."from" AND d.event_id < day."to")
                 AND coalesce(a.decision, ${DECISION.cancel}) = ${DECISION.cancel} THEN ${HOW_IT_ENDS} END AS detail
      FROM deleted d
      LEFT JOIN endpoints e ON e.num = ANY (ARRAY[d.endpoint_num])
      LEFT JOIN LATERAL (SELECT type, expunged_at FROM events WHERE id = d.event_id AND id < $3::uuid LIMIT 1) v ON true
      LEFT JOIN LATERAL (
        SELECT decision FROM attempts WHERE event_id = d.event_id AND endpoint_num = d.endpoint_num AND event_id < $3::uuid AND ${ENDING}
         ORDER BY attempt DESC LIMIT 1
      ) a ON true
  ),
  pausing AS MATERIALIZED (
    SELECT e.num FROM (SELECT DISTINCT endpoint_num FROM fates WHERE order_key IS NOT NULL) f JOIN endpoints e ON e.num = ANY (ARRAY[f.endpoint_num])
     WHERE e.on_dead_letter = 'pause' ORDER BY e.num FOR SHARE OF e
  ),
  first AS MATERIALIZED (
    SELECT DISTINCT ON (endpoint_num, order_key) endpoint_num, order_key, event_id, seq, paused_at FROM fates
     WHERE order_key IS NOT NULL AND (paused_at IS NOT NULL OR detail = '${EXPIRED}') AND endpoint_num IN (SELECT num FROM pausing)
     ORDER BY endpoint_num, order_key, seq
  ),
  paused AS (
    INSERT INTO paused_keys AS p (endpoint_num, order_key, event_id, seq, paused_at)
    SELECT endpoint_num, order_key, event_id, seq, coalesce(paused_at, now()) FROM first f
     WHERE paused_at IS NOT NULL
        OR (SELECT h.event_id FROM mailbox h WHERE h.endpoint_num = f.endpoint_num AND h.order_key = f.order_key ORDER BY h.seq LIMIT 1) < $3::uuid
     ORDER BY endpoint_num, order_key
    ON CONFLICT (endpoint_num, order_key) DO UPDATE SET event_id = EXCLUDED.event_id, seq = EXCLUDED.seq, paused_at = EXCLUDED.paused_at
     WHERE EXCLUDED.seq < p.seq
  ),
  counted AS (
    UPDATE replays r SET queued = r.queued - d.count
      FROM (SELECT replay_num, count(*) FROM deleted WHERE replay_num IS NOT NULL GROUP BY replay_num) d WHERE r.num = d.replay_num
  ),
  ${EXPIRED_ENDS}
  SELECT (SELECT count(*)::int FROM deleted) AS deleted, (SELECT count(detail)::int FROM fates) AS ended, ${EXPIRED_COUNTS} AS expired,
         (SELECT json_agg(k) FROM (SELECT DISTINCT endpoint_num, order_key FROM deleted WHERE order_key IS NOT NULL) k) AS keys`;

interface Found {
  deleted: number;
  /** Those of them that got an end on record. */
  ended: number;
}

interface Step extends Found {
  expired: readonly ExpiredDeliveries[] | null;
  keys: { endpoint_num: number; order_key: number }[] | null;
}

/**
 * Takes waiting deliveries of old events out of the mailbox, and ends each: as a dead letter that expired, or as cancelled where its
 * endpoint was deleted or its event expunged. An attempt that is still under way is too late, unless the receiver takes it
 * (`overruleEnds`). The statements are bounded, and each stands by itself: interrupted, the next call goes on.
 * @throws the signal's reason
 */
export async function expireDeliveries(client: pg.ClientBase, expiry: Expiry): Promise<void> {
  // Rows that are put off meanwhile move to where was looked already.
  for (let passes = 1; passes <= MAX_PASSES; passes++) {
    const { deleted, ended } = await lookThrough(client, expiry);
    // What needs no end is no reason to look once more while days are in use: it can be queued again at once, and may leave when they are gone.
    if ((expiry.days.length > 0 ? ended : deleted) === 0) return;
  }
}

/** One pass over the table by page ranges: no index leads with the event, and every statement stays bounded. */
async function lookThrough(client: pg.ClientBase, expiry: Expiry): Promise<Found> {
  const { rows } = await client.query<{ pages: number }>(
    `SELECT (pg_relation_size('mailbox') / current_setting('block_size')::int)::int AS pages`,
  );
  const pages = rows[0]?.pages ?? 0;
  const found: Found = { deleted: 0, ended: 0 };
  const portion = new Portion(ENDED_PER_STATEMENT);
  for (let page = 0; page < pages; ) {
    const step = await portion.run((most) => expireSome(client, expiry, page, most), expiry.signal);
    found.deleted += step.deleted;
    found.ended += step.ended;
    expiry.counts.add(step.expired);
    const keys = orderKeysOf(step.keys ?? []);
    if (keys.length > 0) await withRetries(() => withShortWaits(client, () => promote(client, keys)), expiry.signal);
    if (step.isAll) page += MAILBOX_PAGES;
  }
  return found;
}

async function expireSome(client: pg.ClientBase, expiry: Expiry, page: number, most: number) {
  const { beforeUuid, days } = expiry;
  const values = [
    `(${page},0)`,
    `(${page + MAILBOX_PAGES},0)`,
    beforeUuid,
    plainArray(days.map(({ from }) => from)),
    plainArray(days.map(({ to }) => to)),
    most,
  ];
  const { rows } = await client.query<Step>(EXPIRE, values);
  const step = rows[0]!;
  return { ...step, isAll: step.deleted < most };
}
