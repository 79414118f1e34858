import type pg from 'pg';
import { type Decision, type Outcome, staysInMailbox } from '../domain/outcome.ts';
import { bigints, booleans, doubles, ints, smallints, texts, uuids } from './binary-array.ts';
import { DECISION, decisionCode, NOTICE_CODES, outcomeCode, STAYING_DECISIONS } from './codes.ts';
import { column, sparseColumn, valuesOf } from './columns.ts';
import { byKey } from './delivery-keys.ts';
import { forgetDelivered } from './forget-delivered.ts';
import { keptHeaders } from './kept-headers.ts';
import type { LaneLease } from './lanes.ts';
import { UNIQUE_VIOLATION } from './lock-errors.ts';
import { overruleEnds } from './overrule-ends.ts';
import { isDeliveryOf } from './probe.ts';
import { resumeDelivered } from './resume-delivered.ts';

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
  /**
   * True: it is dead-lettered, and its endpoint may pause this key then. The next letter must not be freed from memory; the table decides,
   * by what the endpoint's settings are when the attempt is written.
   */
  readonly mayPauseKey: boolean;
}

/** `delivery.recovered` is not among them: whether a delivery was said to be failing stands in its row. */
export type DeliveryNotice = 'delivery.failing' | 'delivery.dead_lettered';

// `held` locks the lanes' rows for the statement: a takeover either comes before (the epoch differs, nothing matches) or waits.
// A delivery whose row is gone or has moved on (cancelled meanwhile) keeps the attempt as a fact, marked late. It is told by `IN`, which
// Postgres hashes; it would join CTEs of unknown size by nested loops, quadratic in the batch. One that a replay made and the receiver took is not: where the
// replay was cancelled meanwhile, what was a dead letter before is delivered now. Nor is the first attempt of a delivery that a replay made: nothing else on record says
// how that ended. Where it was cancelled by itself, that has a later number and holds: see `overruleEnds`.
// Whether a key waits for a person is what the endpoint says now, for as long as the statement takes: who makes it go on looks for paused keys after that. Endpoints
// are probed for, as `isDeliveryOf` has it.
// Arrays are unnested side by side in a list of columns: in FROM, Postgres writes each of them out and reads it again.
const settleText = (known: string) => `
  WITH held AS MATERIALIZED (
    SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) ORDER BY l.lane FOR SHARE OF l
  ),
  given AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.decision IN ${STAYING_DECISIONS} THEN date_trunc('milliseconds', now()) + a.delay_ms * interval '1 ms' END AS due_at
      FROM (SELECT generate_subscripts($3::uuid[], 1) AS n, unnest($3::uuid[]) AS event_id, unnest($4::int[]) AS endpoint_num, unnest($5::int[]) AS tenant_num,
                   unnest($6::smallint[]) AS lane, unnest($7::smallint[]) AS attempt, unnest($8::float8[]) AS started_ms,
                   unnest($9::smallint[]) AS outcome, unnest($10::smallint[]) AS decision, unnest($11::float8[]) AS delay_ms,
                   unnest($12::smallint[]) AS status, unnest($13::int[]) AS dns_ms, unnest($14::int[]) AS connect_ms,
                   unnest($15::int[]) AS first_byte_ms, unnest($16::int[]) AS total_ms, unnest($17::text[]) AS detail, unnest($18::text[]) AS headers,
                   unnest($19::int[]) AS body_start, unnest($20::int[]) AS body_length, unnest($22::smallint[]) AS notice, unnest($23::boolean[]) AS may_pause,
                   unnest($24::boolean[]) AS replayed) a
     WHERE a.lane IN (SELECT lane FROM held)
  ),
  removed AS (
    DELETE FROM mailbox m USING given g
     WHERE ${isDeliveryOf('m', 'g')} AND m.attempt = g.attempt - 1 AND g.decision NOT IN ${STAYING_DECISIONS}
    RETURNING g.n, g.tenant_num, g.endpoint_num, g.event_id, g.attempt, m.order_key, m.seq, g.may_pause,
              CASE WHEN g.decision = ${DECISION.done} AND m.failing_since IS NOT NULL THEN ${NOTICE_CODES['delivery.recovered']} ELSE g.notice END AS notice
  ),
  rescheduled AS (
    UPDATE mailbox m SET due_at = g.due_at, attempt = g.attempt, step = m.step + (g.decision = ${DECISION.retry})::int, parked = false,
                         replay_num = CASE WHEN g.decision = ${DECISION.postpone} THEN m.replay_num END,
                         failing_since = coalesce(m.failing_since, CASE WHEN g.notice IS NOT NULL THEN g.attempt END)
      FROM given g
     WHERE ${isDeliveryOf('m', 'g')} AND m.attempt = g.attempt - 1 AND g.decision IN ${STAYING_DECISIONS}
    RETURNING g.n, g.tenant_num, g.endpoint_num, g.event_id, g.attempt, CASE WHEN m.failing_since = g.attempt THEN g.notice END AS notice
  ),
  pausing AS MATERIALIZED (
    SELECT e.num FROM removed r JOIN endpoints e ON e.num = ANY (ARRAY[r.endpoint_num]) WHERE r.may_pause AND e.on_dead_letter = 'pause' FOR SHARE OF e
  ),
  paused AS (
    INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq)
    SELECT endpoint_num, order_key, event_id, seq FROM removed
     WHERE may_pause AND order_key IS NOT NULL AND endpoint_num IN (SELECT num FROM pausing)
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
           CASE WHEN g.counts OR g.replayed AND g.decision = ${DECISION.done} THEN g.decision WHEN g.replayed AND g.attempt = 1 THEN ${DECISION.cancel} ELSE ${DECISION.late} END, g.status,
           g.dns_ms, g.connect_ms, g.first_byte_ms, g.total_ms, g.detail, g.headers,
           CASE WHEN g.body_length > 0 THEN substring($21::bytea FROM g.body_start FOR g.body_length) END, CASE WHEN g.counts THEN g.due_at END
      FROM (SELECT given.*, n IN (SELECT n FROM removed UNION ALL SELECT n FROM rescheduled) AS counts FROM given) g
    ${known}
  )
  SELECT array_agg(lane) AS lanes,
         CASE WHEN (SELECT count(*) FROM given) > (SELECT count(*) FROM removed) + (SELECT count(*) FROM rescheduled)
              THEN ARRAY(SELECT n FROM given WHERE n NOT IN (SELECT n FROM removed UNION ALL SELECT n FROM rescheduled)) END AS late
    FROM held`;
// What is settled for the first time is not there yet: to be ready for it costs each attempt a search and a record of the WAL more.
const SETTLE = settleText('');
// One that was sent before with an unknown outcome, or that another made of the same delivery under the same number, stays as it is.
const SETTLE_AGAIN = settleText('ON CONFLICT DO NOTHING');

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
  const values = settleValues(leases, ordered);
  const run = (name: string, text: string) => pool.query<Settled>({ name, text, values });
  const { rows } = await run('settle', SETTLE).catch((error: unknown) => {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    return run('settle-again', SETTLE_AGAIN);
  });
  const held = new Set(rows[0]?.lanes ?? []);
  // Whoever withdrew or cancelled a delivery under way may have been waited for: what it wrote is seen by no part of the same statement.
  const late = rows[0]?.late?.map((n) => ordered[n - 1]!) ?? [];
  if (late.length > 0) {
    await overruleEnds(pool, late);
    // Its day may have gone since the record.
    await forgetDelivered(pool, late);
    await resumeDelivered(pool, late);
  }
  return held;
}

interface Settled {
  lanes: number[] | null;
  /** Places, from 1, of those whose delivery had left the mailbox or moved on; null without any. */
  late: number[] | null;
}

type AttemptColumns = ReturnType<typeof attemptColumns>;

const LEASES = [
  column(smallints, (lease: LaneLease) => lease.lane),
  column(bigints, (lease: LaneLease) => lease.epoch),
];
const ATTEMPTS = [
  column(uuids, (a: SettledAttempt) => a.eventUuid),
  column(ints, (a: SettledAttempt) => a.endpointNum),
  column(ints, (a: SettledAttempt) => a.tenantNum),
  column(smallints, (a: SettledAttempt) => a.lane),
  column(smallints, (a: SettledAttempt) => a.attempt),
  column(doubles, (a: SettledAttempt) => a.startedAtMs),
  column(smallints, (a: SettledAttempt) => outcomeCode(a.outcome)),
  column(smallints, (a: SettledAttempt) => decisionCode(a.decision)),
  column(doubles, (a: SettledAttempt) => (staysInMailbox(a.decision) ? a.decision.delayMs : 0)),
];
const RESPONSES = [
  sparseColumn(smallints, (row: AttemptColumns) => row.status),
  sparseColumn(ints, (row: AttemptColumns) => row.dnsMs),
  sparseColumn(ints, (row: AttemptColumns) => row.connectMs),
  sparseColumn(ints, (row: AttemptColumns) => row.firstByteMs),
  sparseColumn(ints, (row: AttemptColumns) => row.totalMs),
  sparseColumn(texts, (row: AttemptColumns) => row.detail),
  sparseColumn(texts, (row: AttemptColumns) => row.headers),
];
const BODY_STARTS = column(ints, (start: number) => start);
const BODY_LENGTHS = column(ints, (row: AttemptColumns) => row.body.length);
const CONSEQUENCES = [
  sparseColumn(smallints, ({ notice }: SettledAttempt) => (notice === null ? null : NOTICE_CODES[notice])),
  sparseColumn(booleans, ({ mayPauseKey }: SettledAttempt) => mayPauseKey || null),
  sparseColumn(booleans, ({ isReplay }: SettledAttempt) => isReplay || null),
];

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
    ...valuesOf(LEASES, leases),
    ...valuesOf(ATTEMPTS, attempts),
    ...valuesOf(RESPONSES, rows),
    BODY_STARTS(starts),
    BODY_LENGTHS(rows),
    Buffer.concat(bodies),
    ...valuesOf(CONSEQUENCES, attempts),
  ];
}

const NO_BODY = new Uint8Array(0);

function attemptColumns({ outcome, decision }: SettledAttempt) {
  const response = 'response' in outcome ? outcome.response : null;
  const timing = 'timing' in outcome ? outcome.timing : null;
  return {
    status: response?.status ?? null,
    dnsMs: round(timing?.dnsMs),
    connectMs: round(timing?.connectMs),
    firstByteMs: round(timing?.firstByteMs),
    totalMs: round(timing?.totalMs),
    detail: withoutNul(detailOf(outcome, decision)),
    headers: response === null ? null : withoutNul(JSON.stringify(keptHeaders(response.headers))),
    body: response?.body ?? NO_BODY,
  };
}

function detailOf(outcome: Outcome, decision: Decision): string | null {
  if (decision.kind === 'disable') return decision.reason;
  if (outcome.kind === 'unreachable' || outcome.kind === 'blocked') return outcome.detail;
  if (outcome.kind === 'rejected') return outcome.detail ?? null;
  return outcome.kind === 'skipped' ? outcome.reason : null;
}

function round(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : Math.round(ms);
}

/** Postgres's text holds every character but this one. */
function withoutNul(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\u0000', '\ufffd');
}
