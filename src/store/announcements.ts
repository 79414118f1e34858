import type pg from 'pg';
import type { NoticeDetail, NoticeKind } from '../domain/notice.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';

/** Events that an endpoint and kind may have for themselves in a window; more become one. Also how many notices an announcement keeps. */
export const MOST_SINGLES = 5;

/** Held while notices are folded: two at once would wait for each other's rows. Any fixed number will do; 7430 is ours. */
const FOLD_LOCK = 7430;

/**
 * Now, rounded down to milliseconds. The column would round up: a claim right after this would find nothing due yet, although the window has
 * begun.
 */
const AT_ONCE = `date_trunc('milliseconds', now())`;

// The statement that counts notices also deletes them from the outbox: each is in exactly one announcement, whatever dies.
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
    SELECT gen_random_uuid(), tenant_num, endpoint_num, kind, count, first_at, last_at, samples, ${AT_ONCE}, ${AT_ONCE}
      FROM grouped ORDER BY endpoint_num, kind
    ON CONFLICT (endpoint_num, kind) WHERE NOT sealed DO UPDATE
       SET count = a.count + EXCLUDED.count,
           first_at = least(a.first_at, EXCLUDED.first_at),
           last_at = greatest(a.last_at, EXCLUDED.last_at),
           samples = jsonb_path_query_array(a.samples || EXCLUDED.samples, '$[0 to ${MOST_SINGLES - 1}]'),
           due_at = CASE WHEN a.spent + a.count + EXCLUDED.count <= ${MOST_SINGLES} THEN ${AT_ONCE}
                         ELSE greatest(${AT_ONCE}, a.window_ends_at) END
  )
  SELECT count(*)::int AS count FROM taken`;

/**
 * Folds the oldest notices into the announcements of their endpoints and kinds.
 * @returns how many; 0 also while another process does it.
 */
export async function foldNotices(queryable: Queryable, limit: number): Promise<number> {
  const { rows } = await queryable.query<{ count: number }>({ name: 'fold-notices', text: FOLD, values: [limit] });
  return rows[0]!.count;
}

export interface NoticeSample {
  readonly endpointNum: number;
  readonly atMs: number;
  readonly eventUuid: string | null;
  readonly attempt: number | null;
  readonly detail: NoticeDetail;
}

/** Notices that are to be told of now, together or one by one. */
export interface Announcement {
  readonly id: string;
  readonly tenantNum: number;
  readonly tenantId: string;
  /** Null where it is about many. */
  readonly endpointId: string | null;
  /** The endpoints that it is about: one, or many that had news of the kind at once. */
  readonly endpointNums: readonly number[];
  readonly kind: NoticeKind;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The first of them, oldest first; of each endpoint one where there are many. */
  readonly samples: readonly NoticeSample[];
}

/** Ends announcements whose events are stored, or wanted by nobody. */
export async function endAnnouncements(pool: pg.Pool, ids: readonly string[]): Promise<void> {
  await pool.query(
    `WITH wide AS (DELETE FROM wide_announcements WHERE id = ANY($1::uuid[]))
     DELETE FROM announcements WHERE id = ANY($1::uuid[])`,
    [plainArray(ids)],
  );
}

/** Forgets windows that are over and in which nothing more came. */
export async function forgetQuietWindows(pool: pg.Pool): Promise<void> {
  await pool.query({
    name: 'forget-quiet-windows',
    // What another process is at may stay until the next time: to wait for it could be a deadlock.
    text: `WITH wide AS (
             DELETE FROM announcement_windows WHERE (tenant_num, kind, of_subscribers) IN (
               SELECT tenant_num, kind, of_subscribers FROM announcement_windows WHERE ends_at < now() FOR UPDATE SKIP LOCKED)
           )
           DELETE FROM announcements WHERE id IN (
             SELECT id FROM announcements WHERE count = 0 AND window_ends_at < now() FOR UPDATE SKIP LOCKED)`,
  });
}
