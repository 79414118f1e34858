import type pg from 'pg';
import { type OutcomeName, outcomeName } from './codes.ts';
import type { DeliveryKey } from './delivery-keys.ts';

export interface StoredAttempt {
  readonly number: number;
  readonly startedAt: Date;
  readonly outcome: OutcomeName;
  /** The code of what followed from it, see `DECISION`. `late`: it came back after its delivery had ended otherwise. */
  readonly decision: number;
  readonly status: number | null;
  readonly detail: string | null;
  /** Names in lower case; null when there was no response. */
  readonly responseHeaders: Readonly<Record<string, string>> | null;
  /** The start of it, as kept; null when there was none. */
  readonly responseBody: Buffer | null;
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly firstByteMs: number | null;
  readonly totalMs: number | null;
  readonly nextAttemptAt: Date | null;
}

/** A row of `attempts`. */
export interface AttemptRow {
  attempt: number;
  started_at: Date;
  outcome: number;
  decision: number;
  status: number | null;
  detail: string | null;
  response_headers: string | null;
  response_body: Buffer | null;
  dns_ms: number | null;
  connect_ms: number | null;
  first_byte_ms: number | null;
  total_ms: number | null;
  next_attempt_at: Date | null;
}

/** What is on record of a delivery, newest first, before the attempt with number `before`. */
export async function listAttempts(
  pool: pg.Pool,
  tenantNum: number,
  delivery: DeliveryKey,
  before: number | null,
  limit: number,
): Promise<readonly StoredAttempt[]> {
  const { rows } = await pool.query<AttemptRow>(
    `SELECT attempt, started_at, outcome, decision, status, detail, response_headers, response_body,
            dns_ms, connect_ms, first_byte_ms, total_ms, next_attempt_at
       FROM attempts WHERE event_id = $1 AND endpoint_num = $2 AND tenant_num = $3 AND attempt < $4 ORDER BY attempt DESC LIMIT $5`,
    [delivery.eventUuid, delivery.endpointNum, tenantNum, before ?? 32_767, limit],
  );
  return rows.map(toStoredAttempt);
}

export function toStoredAttempt(row: AttemptRow): StoredAttempt {
  return {
    number: row.attempt,
    startedAt: row.started_at,
    outcome: outcomeName(row.outcome),
    decision: row.decision,
    status: row.status,
    detail: row.detail,
    responseHeaders: row.response_headers === null ? null : JSON.parse(row.response_headers),
    responseBody: row.response_body,
    dnsMs: row.dns_ms,
    connectMs: row.connect_ms,
    firstByteMs: row.first_byte_ms,
    totalMs: row.total_ms,
    nextAttemptAt: row.next_attempt_at,
  };
}
