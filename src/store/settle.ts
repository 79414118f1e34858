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

/** `delivery.recovered` is not among them: only the row knows whether the tenant was told that the delivery fails. */
export type DeliveryNotice = 'delivery.failing' | 'delivery.dead_lettered';

// `held` locks the lanes that still have our epoch. A takeover either came before, so that nothing matches, or waits for this statement.
//
// An attempt `counts` if its row was still there, so that it is `removed` or `rescheduled`. If not (the delivery was cancelled meanwhile,
// say), it is appended all the same, as `late`. Two attempts of a delivery that a replay queued are exceptions:
// - A 2xx stays `done`: the replay may have been cancelled meanwhile, but the receiver has the event.
// - A first attempt becomes `cancel`, because nothing else on record says how the delivery ended.
// If there is another end with a later number, `overruleEnds` decides between the two afterwards.
//
// `counts` uses IN, which Postgres hashes. These CTEs are of unknown size to it: it would join them by nested loops, quadratic in the batch.
//
// `pausing` locks the endpoints FOR SHARE: the setting holds until the statement ends, and whoever stops an endpoint from pausing looks for
// paused keys after that. The condition has the form of `isDeliveryOf`, so that endpoints are probed for.
//
// Arrays are unnested side by side in a list of columns: in FROM, Postgres would write each of them out and read it again.
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
// Nearly always no attempt is on record yet. ON CONFLICT would cost each of them one more search, and one more record of the WAL.
const SETTLE = settleText('');
// An attempt that is on record stays as it is: this statement was sent before and its answer lost, or another worker made an attempt of the
// same delivery under the same number.
const SETTLE_AGAIN = settleText('ON CONFLICT DO NOTHING');

/**
 * One statement appends the attempts and moves their deliveries on, atomically. Late attempts then need up to three more calls, which are
 * not atomic with it.
 * @returns the lanes that were still ours; attempts of other lanes changed nothing.
 */
export async function settle(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  attempts: readonly SettledAttempt[],
): Promise<ReadonlySet<number>> {
  // Sorted as all statements lock that wait for several rows. Postgres takes the rows as they are given (nested loops over the array): first
  // those that it removes, then those that it reschedules. Locking them beforehand would make the order certain, but takes 15 to 40 % more
  // time and 13 % more WAL (measured with 20 to 500 rows). `Settler` tries again what still ends in a deadlock.
  const ordered = [...attempts].sort(byKey);
  const values = settleValues(leases, ordered);
  const run = (name: string, text: string) => pool.query<Settled>({ name, text, values });
  const { rows } = await run('settle', SETTLE).catch((error: unknown) => {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    return run('settle-again', SETTLE_AGAIN);
  });
  const held = new Set(rows[0]?.lanes ?? []);
  // The statement may have waited for one that withdrew or cancelled a delivery under way. It does not see what that wrote; these calls do.
  const late = rows[0]?.late?.map((n) => ordered[n - 1]!) ?? [];
  if (late.length > 0) {
    await overruleEnds(pool, late);
    // The day of one may have been detached or dropped meanwhile: a dead letter that the attempt delivered must be forgotten there, too.
    await forgetDelivered(pool, late);
    await resumeDelivered(pool, late);
  }
  return held;
}

interface Settled {
  lanes: number[] | null;
  /** Positions, from 1, of the attempts whose delivery had left the mailbox or moved on; null without any. */
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

/** Postgres's `text` cannot hold this one character. */
function withoutNul(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\u0000', '\ufffd');
}
