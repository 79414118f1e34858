import type pg from 'pg';
import type { NoticeDetail } from '../domain/notice.ts';
import { type Announcement, MOST_SINGLES } from './announcements.ts';
import { NOTICE_CODES, noticeKind } from './codes.ts';
import { plainArray } from './plain-array.ts';

/** Endpoints of a tenant that may have news of one kind for themselves in a window; those of more become one event. */
export const MOST_ENDPOINTS = 20;
/** How long a window lasts, of an endpoint or of a tenant, in ms. */
const WINDOW_MS = 10_000;
/** How long a process may take to make events of an announcement before another tries. */
const LEASE_MS = 10_000;
/** What is looked at in one statement: as many endpoints as a tenant has at most. */
const MOST_JUDGED = 10_000;
const MOST_WIDE = 10;

/** Held while announcements are claimed: what two take at once, neither would count for the other. See `FOLD_LOCK`. */
const CLAIM_LOCK = 7431;

// Whether it is told of one by one, as part of a whole, or later is the same for all that a tenant has of a kind. That of endpoints which
// subscribe to system events is a kind of its own: they are told of the others, but not of themselves.
const JUDGED = `
  locked AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${CLAIM_LOCK}) AS ok),
  due AS MATERIALIZED (
    SELECT id, tenant_num, endpoint_num, kind, due_at, window_ends_at <= now() AS is_new_window FROM announcements
     WHERE (SELECT ok FROM locked) AND count > 0 AND NOT sealed AND due_at <= now() AND kind = ANY($2::smallint[])
     ORDER BY due_at LIMIT ${MOST_JUDGED} FOR UPDATE SKIP LOCKED
  ),
  judged AS MATERIALIZED (
    SELECT d.id, d.due_at, d.is_new_window, o.of_subscribers, w.ends_at,
           CASE WHEN coalesce(w.spent, 0) + sum(d.is_new_window::int) OVER (PARTITION BY d.tenant_num, d.kind, o.of_subscribers) <= ${MOST_ENDPOINTS}
                THEN 'single' WHEN w.ends_at IS NULL THEN 'wide' ELSE 'later' END AS fate
      FROM due d
     CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT 1 FROM endpoints e WHERE e.num = d.endpoint_num
                         AND jsonb_path_exists(e.subscriptions, '$[*].types[*] ? (@ starts with "system")')) AS of_subscribers
     ) o
      LEFT JOIN announcement_windows w
        ON w.tenant_num = d.tenant_num AND w.kind = d.kind AND w.of_subscribers = o.of_subscribers AND w.ends_at > now()
  )`;

// What is sealed takes no more notices, so that a second try makes the same events. Its place is taken by an empty row that remembers
// the window. Kinds that this version does not know are left to the one that does.
const SINGLES = `
  sealed AS (
    UPDATE announcements a SET sealed = true, leased_until = now() + ${LEASE_MS} * interval '1 ms'
      FROM (SELECT * FROM judged WHERE fate = 'single' ORDER BY due_at, id LIMIT $1) j WHERE a.id = j.id
    RETURNING a.*, j.is_new_window, j.of_subscribers
  ),
  reopened AS (
    INSERT INTO announcements (id, tenant_num, endpoint_num, kind, count, due_at, spent, window_ends_at)
    SELECT gen_random_uuid(), tenant_num, endpoint_num, kind, 0, now(),
           least(${MOST_SINGLES}, count + CASE WHEN is_new_window THEN 0 ELSE spent END),
           CASE WHEN is_new_window THEN now() + ${WINDOW_MS} * interval '1 ms' ELSE window_ends_at END
      FROM sealed ORDER BY endpoint_num, kind
    ON CONFLICT (endpoint_num, kind) WHERE NOT sealed DO NOTHING
  ),
  again AS (
    UPDATE announcements SET leased_until = now() + ${LEASE_MS} * interval '1 ms'
     WHERE id IN (SELECT id FROM announcements
                   WHERE sealed AND count > 0 AND due_at <= now() AND leased_until <= now() AND kind = ANY($2::smallint[])
                   ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING *
  )`;

// What is gathered leaves `announcements` in the statement that writes it down as a whole: each notice is in one of them, whatever dies.
const WIDE = `
  later AS (
    UPDATE announcements a SET due_at = j.ends_at FROM judged j WHERE a.id = j.id AND j.fate = 'later'
  ),
  gathered AS (
    DELETE FROM announcements a USING judged j WHERE a.id = j.id AND j.fate = 'wide' RETURNING a.*, j.of_subscribers
  ),
  wide AS (
    INSERT INTO wide_announcements (id, tenant_num, kind, count, first_at, last_at, endpoint_nums, samples, leased_until)
    SELECT gen_random_uuid(), tenant_num, kind, sum(count), min(first_at), max(last_at), array_agg(endpoint_num ORDER BY first_at, endpoint_num),
           to_jsonb((array_agg(samples->0 || jsonb_build_object('endpoint_num', endpoint_num) ORDER BY first_at, endpoint_num))[1:${MOST_SINGLES}]),
           now() + ${LEASE_MS} * interval '1 ms'
      FROM gathered GROUP BY tenant_num, kind, of_subscribers
    RETURNING *
  ),
  wide_again AS (
    UPDATE wide_announcements SET leased_until = now() + ${LEASE_MS} * interval '1 ms'
     WHERE id IN (SELECT id FROM wide_announcements WHERE leased_until <= now() AND kind = ANY($2::smallint[])
                   ORDER BY id LIMIT ${MOST_WIDE} FOR UPDATE SKIP LOCKED)
    RETURNING *
  ),
  windows AS (
    INSERT INTO announcement_windows AS w (tenant_num, kind, of_subscribers, spent, ends_at)
    SELECT tenant_num, kind, of_subscribers, sum(news), now() + ${WINDOW_MS} * interval '1 ms' FROM (
      SELECT tenant_num, kind, of_subscribers, is_new_window::int AS news FROM sealed
      UNION ALL SELECT DISTINCT tenant_num, kind, of_subscribers, ${MOST_ENDPOINTS} FROM gathered
    ) told GROUP BY tenant_num, kind, of_subscribers HAVING sum(news) > 0
    ON CONFLICT (tenant_num, kind, of_subscribers) DO UPDATE
       SET spent = EXCLUDED.spent + CASE WHEN w.ends_at > now() THEN w.spent ELSE 0 END,
           ends_at = CASE WHEN w.ends_at > now() THEN w.ends_at ELSE EXCLUDED.ends_at END
  )`;

const COLUMNS = 'id, tenant_num, kind, count, first_at, last_at, samples';
const ONE = `${COLUMNS}, ARRAY[endpoint_num] AS endpoint_nums`;
const MANY = `${COLUMNS}, endpoint_nums`;
const CLAIM = `
  WITH ${JUDGED}, ${SINGLES}, ${WIDE}
  SELECT id, tenant_num, kind, count, samples, endpoint_nums,
         (SELECT t.id FROM tenants t WHERE t.num = claimed.tenant_num) AS tenant_id,
         CASE WHEN cardinality(endpoint_nums) = 1 THEN (SELECT e.id FROM endpoints e WHERE e.num = endpoint_nums[1]) END AS endpoint_id,
         (extract(epoch FROM first_at) * 1000)::float8 AS first_ms, (extract(epoch FROM last_at) * 1000)::float8 AS last_ms
    FROM (SELECT ${ONE} FROM sealed UNION ALL SELECT ${ONE} FROM again
          UNION ALL SELECT ${MANY} FROM wide UNION ALL SELECT ${MANY} FROM wide_again) claimed
   ORDER BY claimed.first_at`;

interface Row {
  id: string;
  tenant_num: number;
  tenant_id: string;
  endpoint_nums: number[];
  endpoint_id: string | null;
  kind: number;
  count: number;
  first_ms: number;
  last_ms: number;
  samples: SampleRow[];
}

interface SampleRow {
  at: number;
  event_id: string | null;
  attempt: number | null;
  detail: NoticeDetail | null;
  /** Only where the announcement is about many endpoints. */
  endpoint_num?: number;
}

const KNOWN_KINDS = plainArray(Object.values(NOTICE_CODES));

/**
 * Takes announcements that are due, and makes one of those that are about many endpoints. An announcement that is not ended within the
 * lease is given out again, as it was. While another process claims, nothing but such ones is given out.
 * @param limit how many of single endpoints
 * @returns them in the order in which what they tell of happened
 */
export async function claimAnnouncements(pool: pg.Pool, limit: number): Promise<Announcement[]> {
  const { rows } = await pool.query<Row>({ name: 'claim-announcements', text: CLAIM, values: [limit, KNOWN_KINDS] });
  return rows.map((row) => ({
    id: row.id,
    tenantNum: row.tenant_num,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    endpointNums: row.endpoint_nums,
    kind: noticeKind(row.kind),
    count: row.count,
    firstAtMs: row.first_ms,
    lastAtMs: row.last_ms,
    samples: row.samples.map(({ at, event_id, attempt, detail, endpoint_num = row.endpoint_nums[0]! }) => {
      return { endpointNum: endpoint_num, atMs: at, eventUuid: event_id, attempt, detail: detail ?? {} };
    }),
  }));
}
