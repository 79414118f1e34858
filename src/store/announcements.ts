import type pg from 'pg';
import type { NoticeDetail, NoticeKind } from '../domain/notice.ts';
import { NOTICE_CODES, noticeKind } from './codes.ts';
import { plainArray } from './plain-array.ts';

/** Events that an endpoint and kind may have for themselves in a window; more become one. Also how many notices an announcement keeps. */
export const MOST_SINGLES = 5;
const WINDOW_MS = 10_000;
/** How long a process may take to make events of an announcement before another tries. */
const LEASE_MS = 10_000;

/** Held while notices are folded: two at once would wait for each other's rows. Any fixed number will do; 7430 is ours. */
const FOLD_LOCK = 7430;

// Rows leave the outbox in the statement that counts them: each notice is in one announcement, whatever dies.
const FOLD = `
  WITH locked AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${FOLD_LOCK}) AS ok),
  taken AS (
    DELETE FROM system_notices
     WHERE id = ANY (ARRAY(SELECT id FROM system_notices WHERE (SELECT ok FROM locked) ORDER BY id LIMIT $1))
    RETURNING *
  ),
  grouped AS (
    SELECT tenant_num, endpoint_num, kind, count(*)::int AS count, min(at) AS first_at, max(at) AS last_at,
           to_jsonb((array_agg(jsonb_build_object('at', (extract(epoch FROM at) * 1000)::bigint, 'event_id', event_id,
                                                  'attempt', attempt, 'detail', detail) ORDER BY id))[1:${MOST_SINGLES}]) AS samples
      FROM taken GROUP BY tenant_num, endpoint_num, kind
  ),
  folded AS (
    INSERT INTO announcements AS a (id, tenant_num, endpoint_num, kind, count, first_at, last_at, samples, due_at, window_ends_at)
    SELECT gen_random_uuid(), tenant_num, endpoint_num, kind, count, first_at, last_at, samples, now(), now()
      FROM grouped ORDER BY endpoint_num, kind
    ON CONFLICT (endpoint_num, kind) WHERE NOT sealed DO UPDATE
       SET count = a.count + EXCLUDED.count,
           first_at = least(a.first_at, EXCLUDED.first_at),
           last_at = greatest(a.last_at, EXCLUDED.last_at),
           samples = jsonb_path_query_array(a.samples || EXCLUDED.samples, '$[0 to ${MOST_SINGLES - 1}]'),
           due_at = CASE WHEN a.spent + a.count + EXCLUDED.count <= ${MOST_SINGLES} THEN now()
                         ELSE greatest(now(), a.window_ends_at) END
  )
  SELECT count(*)::int AS count FROM taken`;

/**
 * Folds the oldest notices into the announcements of their endpoints and kinds.
 * @returns how many; 0 also while another process does it.
 */
export async function foldNotices(pool: pg.Pool, limit: number): Promise<number> {
  const { rows } = await pool.query<{ count: number }>({ name: 'fold-notices', text: FOLD, values: [limit] });
  return rows[0]!.count;
}

export interface NoticeSample {
  readonly atMs: number;
  readonly eventUuid: string | null;
  readonly attempt: number | null;
  readonly detail: NoticeDetail;
}

/** Notices that are to be told of now, together or one by one. */
export interface Announcement {
  readonly id: string;
  readonly tenantNum: number;
  readonly endpointNum: number;
  readonly kind: NoticeKind;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The first of them, oldest first. */
  readonly samples: readonly NoticeSample[];
}

interface Row {
  id: string;
  tenant_num: number;
  endpoint_num: number;
  kind: number;
  count: number;
  first_ms: number;
  last_ms: number;
  samples: { at: number; event_id: string | null; attempt: number | null; detail: NoticeDetail | null }[];
}

// What is sealed takes no more notices, so that a second try makes the same events. Its place is taken by an empty row that remembers
// the window. Kinds that this version does not know are left to the one that does.
const CLAIM = `
  WITH due AS (
    SELECT id FROM announcements
     WHERE count > 0 AND due_at <= now() AND leased_until <= now() AND kind = ANY($2::smallint[])
     ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
  ),
  sealed AS (
    UPDATE announcements a SET sealed = true, leased_until = now() + ${LEASE_MS} * interval '1 ms'
      FROM due WHERE a.id = due.id
    RETURNING a.*, a.window_ends_at <= now() AS is_new_window
  ),
  reopened AS (
    INSERT INTO announcements (id, tenant_num, endpoint_num, kind, count, due_at, spent, window_ends_at)
    SELECT gen_random_uuid(), tenant_num, endpoint_num, kind, 0, now(),
           least(${MOST_SINGLES}, count + CASE WHEN is_new_window THEN 0 ELSE spent END),
           CASE WHEN is_new_window THEN now() + ${WINDOW_MS} * interval '1 ms' ELSE window_ends_at END
      FROM sealed ORDER BY endpoint_num, kind
    ON CONFLICT (endpoint_num, kind) WHERE NOT sealed DO NOTHING
  )
  SELECT id, tenant_num, endpoint_num, kind, count, samples,
         (extract(epoch FROM first_at) * 1000)::float8 AS first_ms, (extract(epoch FROM last_at) * 1000)::float8 AS last_ms
    FROM sealed`;

const KNOWN_KINDS = plainArray(Object.values(NOTICE_CODES));

/** Takes announcements that are due. Those that are not ended within the lease are given out again, as they were. */
export async function claimAnnouncements(pool: pg.Pool, limit: number): Promise<Announcement[]> {
  const { rows } = await pool.query<Row>({ name: 'claim-announcements', text: CLAIM, values: [limit, KNOWN_KINDS] });
  return rows.map((row) => ({
    id: row.id,
    tenantNum: row.tenant_num,
    endpointNum: row.endpoint_num,
    kind: noticeKind(row.kind),
    count: row.count,
    firstAtMs: row.first_ms,
    lastAtMs: row.last_ms,
    samples: row.samples.map(({ at, event_id, attempt, detail }) => {
      return { atMs: at, eventUuid: event_id, attempt, detail: detail ?? {} };
    }),
  }));
}

/** Ends announcements whose events are stored, or wanted by nobody. */
export async function endAnnouncements(pool: pg.Pool, ids: readonly string[]): Promise<void> {
  await pool.query('DELETE FROM announcements WHERE id = ANY($1::uuid[])', [plainArray(ids)]);
}

/** Forgets windows that are over and in which nothing more came. */
export async function forgetQuietWindows(pool: pg.Pool): Promise<void> {
  await pool.query({
    name: 'forget-quiet-windows',
    // What another process is at may stay until the next time: to wait for it could be a deadlock.
    text: `DELETE FROM announcements WHERE id IN (
             SELECT id FROM announcements WHERE count = 0 AND window_ends_at < now() FOR UPDATE SKIP LOCKED)`,
  });
}
