import type pg from 'pg';
import { type AttemptRow, type StoredAttempt, toStoredAttempt } from './attempt-reads.ts';
import { DECISION, OUTCOME_CODES, outcomeName } from './codes.ts';
import { type DeadLetterReason, REASON } from './dead-letter-reason.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import type { LastAttempt } from './delivery-reads.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';

/** A delivery that was given up, and that nobody has purged or brought back since. */
export interface DeadLetter extends DeliveryKey {
  readonly eventType: string;
  /** The producer's own id of the event; null when it is ours. */
  readonly externalId: string | null;
  readonly endpointId: string;
  readonly reason: DeadLetterReason;
  /** Requests that were made. */
  readonly attempts: number;
  /** The attempt that ended it. */
  readonly last: LastAttempt;
}

/** What a dead letter must have; absent: anything. */
export interface LetterFilter {
  readonly type?: string | undefined;
  readonly reason?: DeadLetterReason | undefined;
}

interface Row {
  event_id: string;
  endpoint_num: number;
  type: string;
  external_id: string | null;
  endpoint_id: string;
  reason: DeadLetterReason;
  requests: number;
  attempt: number;
  started_at: Date;
  outcome: number;
  status: number | null;
  detail: string | null;
}

const ATTEMPT =
  'a.attempt, a.started_at, a.outcome, a.status, a.detail, a.dns_ms, a.connect_ms, a.first_byte_ms, a.total_ms, a.response_headers, a.response_body';

/**
 * The dead letters among a relation `keys(event_id, endpoint_num)`, of tenant $1: those in the log whose last decision of all that end a
 * delivery is that one, and that wait for nothing; and those whose day was dropped.
 */
export const LETTERS = `
  SELECT l.*, e.id AS endpoint_id FROM (
    SELECT k.event_id, k.endpoint_num, v.type, v.external_id, v.expunged_at, ${ATTEMPT}, ${REASON} AS reason, false AS is_kept,
           (SELECT count(*)::int FROM attempts c
             WHERE c.event_id = k.event_id AND c.endpoint_num = k.endpoint_num AND c.tenant_num = $1 AND c.outcome <> ${OUTCOME_CODES.skipped}) AS requests
      FROM keys k
      JOIN events v ON v.id = k.event_id AND v.tenant_num = $1
      JOIN LATERAL (
        SELECT * FROM attempts t
         WHERE t.event_id = k.event_id AND t.endpoint_num = k.endpoint_num AND t.tenant_num = $1
           AND t.decision IN (${DECISION.done}, ${DECISION.deadLetter}, ${DECISION.cancel})
         ORDER BY t.attempt DESC LIMIT 1
      ) a ON a.decision = ${DECISION.deadLetter}
     WHERE NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.endpoint_num = k.endpoint_num AND m.event_id = k.event_id)
    UNION ALL
    SELECT k.event_id, k.endpoint_num, v.type, v.external_id, v.expunged_at, ${ATTEMPT}, ${REASON}, true, a.requests
      FROM keys k
      JOIN kept_dead_letters a ON a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.tenant_num = $1
      JOIN kept_events v ON v.id = k.event_id AND v.tenant_num = $1
  ) l
  JOIN endpoints e ON e.num = l.endpoint_num AND e.tenant_num = $1`;

/** `LETTERS` of keys $2 and $3, each once however often it is given, that pass the filter $4 (type) and $5 (reason). */
export const GIVEN_LETTERS = `
  WITH keys AS MATERIALIZED (SELECT DISTINCT * FROM unnest($2::uuid[], $3::int[]) AS k(event_id, endpoint_num)),
  letters AS (
    SELECT * FROM (${LETTERS}) every WHERE ($4::text IS NULL OR type = $4) AND ($5::text IS NULL OR reason = $5)
  )`;

export function letterValues(tenantNum: number, keys: readonly DeliveryKey[], filter: LetterFilter): unknown[] {
  return [
    tenantNum,
    plainArray(keys.map((key) => key.eventUuid)),
    plainArray(keys.map((key) => key.endpointNum)),
    filter.type ?? null,
    filter.reason ?? null,
  ];
}

/** Those of the keys that are dead letters of the tenant and pass the filter, newest event first. */
export async function readDeadLetters(
  db: Queryable,
  tenantNum: number,
  keys: readonly DeliveryKey[],
  filter: LetterFilter = {},
): Promise<readonly DeadLetter[]> {
  if (keys.length === 0) return [];
  const { rows } = await db.query<Row>(
    `${GIVEN_LETTERS}
     SELECT event_id, endpoint_num, type, external_id, endpoint_id, reason, requests, attempt, started_at, outcome, status, detail
       FROM letters ORDER BY event_id DESC, endpoint_num DESC`,
    letterValues(tenantNum, keys, filter),
  );
  return rows.map(toLetter);
}

/** One dead letter with all that is on record of its last attempt; null when the delivery is none. */
export async function readDeadLetter(
  pool: pg.Pool,
  tenantNum: number,
  key: DeliveryKey,
): Promise<{ readonly letter: DeadLetter; readonly attempt: StoredAttempt } | null> {
  const { rows } = await pool.query<Row & Omit<AttemptRow, 'decision' | 'next_attempt_at'>>(
    `${GIVEN_LETTERS} SELECT * FROM letters`,
    letterValues(tenantNum, [key], {}),
  );
  const row = rows[0];
  if (row === undefined) return null;
  const attempt = toStoredAttempt({ ...row, decision: DECISION.deadLetter, next_attempt_at: null });
  return { letter: toLetter(row), attempt };
}

function toLetter(row: Row): DeadLetter {
  return {
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    eventType: row.type,
    externalId: row.external_id,
    endpointId: row.endpoint_id,
    reason: row.reason,
    attempts: row.requests,
    last: {
      number: row.attempt,
      startedAt: row.started_at,
      outcome: outcomeName(row.outcome),
      status: row.status,
      detail: row.detail,
    },
  };
}
