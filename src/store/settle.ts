import type pg from 'pg';
import type { Decision, Outcome } from '../domain/outcome.ts';
import { bigints, booleans, doubles, ints, smallints, texts, uuids } from './binary-array.ts';
import { DECISION, decisionCode, NOTICE_CODES, outcomeCode } from './codes.ts';
import { isGiven } from './is-given.ts';
import type { LaneLease } from './lanes.ts';

/** What became of one attempt, ready to be written. */
export interface SettledAttempt {
  readonly eventUuid: string;
  readonly endpointNum: number;
  readonly tenantNum: number;
  readonly lane: number;
  /** Number of this attempt, from 1. */
  readonly attempt: number;
  /** Whether it is the first since a replay queued the delivery. */
  readonly isReplay: boolean;
  /** Milliseconds since 1970, as signed into the request. */
  readonly startedAtMs: number;
  readonly outcome: Outcome;
  readonly decision: Decision;
  /** What the tenant is told of it, if it counts. */
  readonly notice: DeliveryNotice | null;
  /** Whether those that are kept in order behind it wait for a person, now that it is dead-lettered. */
  readonly pauses: boolean;
}

/** `delivery.recovered` is not among them: whether a delivery was said to be failing stands in its row. */
export type DeliveryNotice = 'delivery.failing' | 'delivery.dead_lettered';

/** Decisions after which the delivery stays in the mailbox. */
const GOES_ON = `(${DECISION.retry}, ${DECISION.postpone})`;

const IS_GIVEN = isGiven('= ANY($3::uuid[])');

// `held` locks the lanes' rows for the statement: a takeover either comes before (the epoch differs, nothing matches) or waits.
// A delivery whose row is gone or has moved on (cancelled meanwhile) keeps the attempt as a fact, marked late. It is told by `IN`, which
// Postgres hashes; it would join CTEs of unknown size by nested loops, quadratic in the batch.
const SETTLE = `
  WITH held AS MATERIALIZED (
    SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) ORDER BY l.lane FOR SHARE OF l
  ),
  given AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.decision IN ${GOES_ON} THEN date_trunc('milliseconds', now()) + a.delay_ms * interval '1 ms' END AS due_at
      FROM unnest($3::uuid[], $4::int[], $5::int[], $6::smallint[], $7::smallint[], $8::float8[], $9::smallint[], $10::smallint[],
                  $11::float8[], $12::smallint[], $13::int[], $14::int[], $15::int[], $16::int[], $17::text[], $18::text[], $19::int[], $20::int[],
                  $22::smallint[], $23::boolean[])
           WITH ORDINALITY
           AS a(event_id, endpoint_num, tenant_num, lane, attempt, started_ms, outcome, decision, delay_ms,
                status, dns_ms, connect_ms, first_byte_ms, total_ms, detail, headers, body_start, body_length, notice, pauses, n)
     WHERE a.lane IN (SELECT lane FROM held)
  ),
  removed AS (
    DELETE FROM mailbox m USING given g
     WHERE m.endpoint_num = g.endpoint_num AND m.event_id = g.event_id AND m.attempt = g.attempt - 1 AND ${IS_GIVEN} AND g.decision NOT IN ${GOES_ON}
    RETURNING g.n, g.tenant_num, g.endpoint_num, g.event_id, g.attempt, m.order_key, m.seq, g.pauses,
              CASE WHEN g.decision = ${DECISION.done} AND m.failing_since IS NOT NULL THEN ${NOTICE_CODES['delivery.recovered']} ELSE g.notice END AS notice
  ),
  rescheduled AS (
    UPDATE mailbox m SET due_at = g.due_at, attempt = g.attempt, step = m.step + (g.decision = ${DECISION.retry})::int, parked = false,
                         replay_num = CASE WHEN g.decision = ${DECISION.postpone} THEN m.replay_num END,
                         failing_since = coalesce(m.failing_since, CASE WHEN g.notice IS NOT NULL THEN g.attempt END)
      FROM given g
     WHERE m.endpoint_num = g.endpoint_num AND m.event_id = g.event_id AND m.attempt = g.attempt - 1 AND ${IS_GIVEN} AND g.decision IN ${GOES_ON}
    RETURNING g.n, g.tenant_num, g.endpoint_num, g.event_id, g.attempt, CASE WHEN m.failing_since = g.attempt THEN g.notice END AS notice
  ),
  paused AS (
    INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq)
    SELECT endpoint_num, order_key, event_id, seq FROM removed WHERE pauses AND order_key IS NOT NULL
    ON CONFLICT DO NOTHING
  ),
  told AS (
    INSERT INTO system_notices (tenant_num, endpoint_num, event_id, kind, attempt)
    SELECT tenant_num, endpoint_num, event_id, notice, attempt FROM removed WHERE notice IS NOT NULL
    UNION ALL
    SELECT tenant_num, endpoint_num, event_id, notice, attempt FROM rescheduled WHERE notice IS NOT NULL
  ),
  appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status,
                          dns_ms, connect_ms, first_byte_ms, total_ms, detail, response_headers, response_body, next_attempt_at)
    SELECT g.event_id, to_timestamp(g.started_ms / 1000), g.endpoint_num, g.tenant_num, g.attempt, g.outcome,
           CASE WHEN g.counts THEN g.decision ELSE ${DECISION.late} END, g.status,
           g.dns_ms, g.connect_ms, g.first_byte_ms, g.total_ms, g.detail, g.headers,
           CASE WHEN g.body_length > 0 THEN substring($21::bytea FROM g.body_start FOR g.body_length) END, CASE WHEN g.counts THEN g.due_at END
      FROM (SELECT given.*, n IN (SELECT n FROM removed UNION ALL SELECT n FROM rescheduled) AS counts FROM given) g
    ON CONFLICT DO NOTHING
  )
  SELECT array_agg(lane) AS lanes FROM held`;

/**
 * Appends the attempts and moves their deliveries on, in one statement: all of it or nothing.
 * @returns the lanes that were still ours; attempts of other lanes changed nothing.
 */
export async function settle(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  attempts: readonly SettledAttempt[],
): Promise<ReadonlySet<number>> {
  // In the order in which all statements lock that wait for several rows. Postgres takes the rows as they are given (nested loops over the
  // array), those that go before those that stay. To lock them beforehand would make it certain, and costs 15 to 40 % of the time and 13 % more
  // WAL (measured with 20 to 500 rows); what is left of deadlocks is tried again (`Settler`).
  const ordered = [...attempts].sort(byKey);
  const { rows } = await pool.query<{ lanes: number[] | null }>({
    name: 'settle',
    text: SETTLE,
    values: settleValues(leases, ordered),
  });
  return new Set(rows[0]?.lanes ?? []);
}

function byKey(a: SettledAttempt, b: SettledAttempt): number {
  return a.endpointNum - b.endpointNum || (a.eventUuid < b.eventUuid ? -1 : 1);
}

function settleValues(leases: readonly LaneLease[], attempts: readonly SettledAttempt[]): unknown[] {
  const rows = attempts.map(attemptColumns);
  const bodies: Uint8Array[] = [];
  const starts: number[] = [];
  let offset = 1;
  for (const { body } of rows) {
    starts.push(offset);
    offset += body.length;
    if (body.length > 0) bodies.push(body);
  }
  return [
    smallints(leases, (lease) => lease.lane),
    bigints(leases, (lease) => lease.epoch),
    uuids(attempts, (a) => a.eventUuid),
    ints(attempts, (a) => a.endpointNum),
    ints(attempts, (a) => a.tenantNum),
    smallints(attempts, (a) => a.lane),
    smallints(attempts, (a) => a.attempt),
    doubles(attempts, (a) => a.startedAtMs),
    smallints(attempts, (a) => outcomeCode(a.outcome)),
    smallints(attempts, (a) => decisionCode(a.decision)),
    doubles(attempts, (a) => ('delayMs' in a.decision ? a.decision.delayMs : 0)),
    smallints(rows, (row) => row.status),
    ints(rows, (row) => row.dnsMs),
    ints(rows, (row) => row.connectMs),
    ints(rows, (row) => row.firstByteMs),
    ints(rows, (row) => row.totalMs),
    texts(rows, (row) => row.detail),
    texts(rows, (row) => row.headers),
    ints(starts, (start) => start),
    ints(rows, (row) => row.body.length),
    Buffer.concat(bodies),
    noticeCodes(attempts),
    attempts.some(({ pauses }) => pauses) ? booleans(attempts, ({ pauses }) => pauses) : '{}',
  ];
}

/** Empty when there is nothing to tell, as in nearly every batch: `unnest` fills a shorter array up with nulls. */
function noticeCodes(attempts: readonly SettledAttempt[]): Buffer | string {
  if (attempts.every(({ notice }) => notice === null)) return '{}';
  return smallints(attempts, ({ notice }) => (notice === null ? null : NOTICE_CODES[notice]));
}

const NO_BODY = new Uint8Array(0);

function attemptColumns({ outcome, decision }: SettledAttempt) {
  const response = 'response' in outcome ? outcome.response : null;
  const timing = 'timing' in outcome ? outcome.timing : null;
  const round = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : Math.round(ms));
  return {
    status: response?.status ?? null,
    dnsMs: round(timing?.dnsMs),
    connectMs: round(timing?.connectMs),
    firstByteMs: round(timing?.firstByteMs),
    totalMs: round(timing?.totalMs),
    detail: withoutNul(detailOf(outcome, decision)),
    headers: response === null ? null : withoutNul(JSON.stringify(response.headers)),
    body: response?.body ?? NO_BODY,
  };
}

function detailOf(outcome: Outcome, decision: Decision): string | null {
  if (decision.kind === 'disable') return decision.reason;
  if (outcome.kind === 'unreachable' || outcome.kind === 'blocked') return outcome.detail;
  if (outcome.kind === 'rejected') return outcome.detail ?? null;
  return outcome.kind === 'skipped' ? outcome.reason : null;
}

/** Postgres's text holds every character but this one. */
function withoutNul(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\u0000', '\ufffd');
}
