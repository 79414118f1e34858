import type pg from 'pg';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { UNEXPANDED } from './expansions.ts';

export interface EndpointStats {
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly deadLettered: number;
  readonly cancelled: number;
  /** Milliseconds of attempts that got a response; null without any. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  /** Whether older attempts of the window were left out. */
  readonly sampled: boolean;
  readonly pending: number;
  readonly retrying: number;
  /** Whether more is waiting than was counted. */
  readonly backlogCapped: boolean;
  /** As the owner of the endpoint's lane saved it. */
  readonly gate: unknown;
}

/** What one answer looks at, at most: the newest attempts, and as many mailbox rows. */
const MAX_ATTEMPTS = 100_000;
const MAX_BACKLOG = 100_000;
/** Events that are still to be expanded, each with a list to be searched. */
const MAX_WIDE_EVENTS = 1_000;

interface Row {
  looked: number;
  delivered: number;
  failed: number;
  dead_lettered: number;
  cancelled: number;
  latency: [number, number, number] | null;
  pending: number;
  retrying: number;
  gate: unknown;
}

// A skipped delivery was no attempt, and a late one did not count for its delivery.
const STATS = `
  WITH looked AS MATERIALIZED (
    SELECT outcome, decision, status, total_ms FROM attempts
     WHERE endpoint_num = $1 AND tenant_num = $2 AND event_id >= $3::uuid ORDER BY event_id DESC LIMIT $4
  ),
  backlog AS MATERIALIZED (
    SELECT attempt FROM (
      SELECT attempt FROM mailbox WHERE endpoint_num = $1 AND tenant_num = $2
      UNION ALL
      (SELECT 0 FROM (SELECT * FROM expansions WHERE tenant_num = $2 ORDER BY event_id LIMIT ${MAX_WIDE_EVENTS}) x WHERE $1 = ANY(${UNEXPANDED}))
    ) waiting LIMIT $5
  )
  SELECT count(*)::int AS looked,
         count(*) FILTER (WHERE outcome = ${OUTCOME_CODES.delivered} AND decision <> ${DECISION.late})::int AS delivered,
         count(*) FILTER (WHERE outcome NOT IN (${OUTCOME_CODES.delivered}, ${OUTCOME_CODES.skipped}))::int AS failed,
         count(*) FILTER (WHERE decision = ${DECISION.deadLetter})::int AS dead_lettered,
         count(*) FILTER (WHERE decision = ${DECISION.cancel})::int AS cancelled,
         percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY total_ms) FILTER (WHERE status IS NOT NULL) AS latency,
         (SELECT count(*) FILTER (WHERE attempt = 0)::int FROM backlog) AS pending,
         (SELECT count(*) FILTER (WHERE attempt > 0)::int FROM backlog) AS retrying,
         (SELECT gate FROM endpoint_states WHERE endpoint_num = $1) AS gate
    FROM looked`;

/** Counts over an endpoint's events since a UUID. The work is bounded, and the answer says when it was cut short. */
export async function readEndpointStats(
  pool: pg.Pool,
  tenantNum: number,
  endpointNum: number,
  sinceUuid: string,
): Promise<EndpointStats> {
  const { rows } = await pool.query<Row>(STATS, [endpointNum, tenantNum, sinceUuid, MAX_ATTEMPTS, MAX_BACKLOG]);
  const row = rows[0]!;
  return {
    delivered: row.delivered,
    failedAttempts: row.failed,
    deadLettered: row.dead_lettered,
    cancelled: row.cancelled,
    latencyMs: row.latency === null ? null : { p50: row.latency[0], p95: row.latency[1], p99: row.latency[2] },
    sampled: row.looked >= MAX_ATTEMPTS,
    pending: row.pending,
    retrying: row.retrying,
    backlogCapped: row.pending + row.retrying >= MAX_BACKLOG,
    gate: row.gate,
  };
}
