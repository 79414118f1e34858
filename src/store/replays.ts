import type pg from 'pg';
import { newId } from '../domain/ids.ts';
import type { TenantRef } from '../domain/scope.ts';
import { appendAuditRow } from './audit-row.ts';
import type { ScanStep } from './bounded-scan.ts';
import type { Clock } from './clock.ts';
import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import type { DeadLetterReason } from './dead-letter-reason.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { inTransaction } from './in-transaction.ts';
import { orderKeysOf, promote } from './order.ts';
import { pauseAgain } from './pause-again.ts';
import { isDeliveryOf, probeOnly } from './probe.ts';
import { type WeighedList, weighPage } from './weigh-page.ts';

export const REPLAY_STATES = ['pending', 'running', 'completed', 'cancelled'] as const;

export type ReplayState = (typeof REPLAY_STATES)[number];

/** Which ended deliveries are made again; absent: every one, and those that an endpoint missed. */
export const REPLAYED_STATUSES = ['delivered', 'dead_lettered', 'cancelled'] as const;

export type ReplayedStatus = (typeof REPLAYED_STATUSES)[number];

/** What was asked for, as it is shown again. */
export interface ReplayRequest {
  readonly endpoint_id?: string;
  readonly status?: ReplayedStatus;
  readonly types?: readonly string[];
  readonly event_ids?: readonly string[];
  readonly delivery_ids?: readonly string[];
  readonly reason?: DeadLetterReason;
  readonly since?: string;
  readonly until?: string;
}

/** What was asked for, as the worker needs it: settled when the replay is made, so that it ends. */
export interface ReplayPlan {
  /** Events from this UUID on … */
  readonly from: string;
  /** … and before this one. */
  readonly to: string;
  /** These events alone, in rising order; null: all in the range. */
  readonly eventUuids: readonly string[] | null;
  readonly endpointNum: number | null;
  readonly status: ReplayedStatus | null;
  /** Dead letters of this reason alone. A plan that was written before there were reasons has none. */
  readonly reason?: DeadLetterReason | null;
  /** These deliveries alone, all of them of `eventUuids`. */
  readonly only?: readonly DeliveryKey[] | null;
  /** Type patterns; empty: every type. */
  readonly types: readonly string[];
}

export interface Replay {
  readonly num: number;
  readonly id: string;
  readonly state: ReplayState;
  readonly request: ReplayRequest;
  readonly matched: number;
  /** Deliveries that were queued, and neither withdrawn nor dropped with their day before they were sent. */
  readonly queued: number;
  /** Of these, how many still wait for the replay. */
  readonly waiting: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

interface Row {
  num: number;
  id: string;
  state: ReplayState;
  request: ReplayRequest;
  matched: number;
  queued: number;
  waiting: number;
  created_at: Date;
  finished_at: Date | null;
}

const COLUMNS = `r.num, r.id, r.state, r.filter->'request' AS request, r.matched, r.queued, r.created_at, r.finished_at,
                 (SELECT count(*)::int FROM mailbox m WHERE m.replay_num = r.num) AS waiting`;

function toReplay({ created_at, finished_at, ...row }: Row): Replay {
  return { ...row, createdAt: created_at, finishedAt: finished_at };
}

/** Replays of one tenant that may be unfinished at a time. */
export const MAX_UNFINISHED = 10;

/** @returns `too_many` when the tenant has too many that are unfinished */
export async function createReplay(
  { apiPool: pool, clock }: { readonly apiPool: pg.Pool; readonly clock: Clock },
  tenant: TenantRef,
  request: ReplayRequest,
  plan: ReplayPlan,
  actor: string,
): Promise<Replay | 'tenant_gone' | 'too_many'> {
  return inTransaction(pool, async (client) => {
    const id = newId('rpl', clock.nowMs());
    // The tenant's row is held, so that two at once do not pass the limit together.
    const held = await client.query('SELECT 1 FROM tenants WHERE num = $1 AND deleted_at IS NULL FOR NO KEY UPDATE', [
      tenant.num,
    ]);
    if (held.rowCount === 0) return 'tenant_gone';
    const { rows } = await client.query<Row>(
      `INSERT INTO replays (id, tenant_num, filter)
       SELECT $1, $2, $3 WHERE (SELECT count(*) FROM replays WHERE tenant_num = $2 AND state IN ('pending', 'running')) < $4
       RETURNING num, id, state, filter->'request' AS request, matched, queued, created_at, finished_at, 0 AS waiting`,
      [id, tenant.num, JSON.stringify({ request, plan }), MAX_UNFINISHED],
    );
    if (rows[0] === undefined) return 'too_many';
    const after = JSON.parse(JSON.stringify(request));
    await appendAuditRow(client, { tenantNum: tenant.num, actor, action: 'replay.created', object: id, after });
    return toReplay(rows[0]);
  });
}

export async function findReplay(pool: pg.Pool, tenantNum: number, id: string): Promise<Replay | null> {
  const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} FROM replays r WHERE r.id = $1 AND r.tenant_num = $2`, [
    id,
    tenantNum,
  ]);
  return rows[0] === undefined ? null : toReplay(rows[0]);
}

const REPLAYS: WeighedList = { table: 'replays', idType: 'text', bytes: `octet_length((x.filter->'request')::text)` };

/** Newest first, before the replay with id `before`. */
export async function listReplays(
  pool: pg.Pool,
  tenantNum: number,
  before: string | undefined,
  limit: number,
): Promise<ScanStep<Replay, string>> {
  const { ids, resume } = await weighPage(pool, REPLAYS, tenantNum, before, limit);
  const { rows } = await pool.query<Row>(
    `SELECT ${COLUMNS} FROM replays r WHERE r.tenant_num = $1 AND r.id = ANY($2::text[]) ORDER BY r.id DESC`,
    [tenantNum, [...ids]],
  );
  return { rows: rows.map(toReplay), resume };
}

// In one order with other statements that take many rows, lest they wait for each other. One that had attempts and no end before is cancelled:
// an ordinal is left free for the attempt that may be in flight. One that had none was not there before, and is not there again.
const WITHDRAW = `
  WITH ours AS MATERIALIZED (
    SELECT endpoint_num, event_id FROM mailbox WHERE replay_num = $1 ORDER BY endpoint_num, event_id FOR UPDATE
  ),
  withdrawn AS (
    DELETE FROM mailbox m USING ours o WHERE ${isDeliveryOf('m', 'o')} 
    RETURNING m.event_id, m.endpoint_num, m.tenant_num, m.attempt, m.order_key, m.seq, m.paused_at
  ),
  ${pauseAgain('withdrawn')},
  ended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, attempt + 2, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'replay_cancelled' FROM withdrawn w
     WHERE attempt > 0 AND (SELECT decision FROM attempts a WHERE a.event_id = w.event_id AND a.endpoint_num = w.endpoint_num AND a.${ENDING} LIMIT 1) IS NULL
  )
  SELECT endpoint_num, order_key FROM withdrawn`;

export type CancelReplayResult = 'cancelled' | 'finished' | 'not_found';

/**
 * Ends a replay: what it queued and nobody has tried yet is withdrawn, and such a delivery is again what it was before: a key of an
 * ordered endpoint that had waited for it does so again. One whose attempt is in flight is withdrawn too: where the receiver
 * takes it, it is delivered all the same (`overruleEnds`), else that attempt is kept as a fact, marked late.
 */
export async function cancelReplay(
  pool: pg.Pool,
  tenant: TenantRef,
  id: string,
  actor: string,
): Promise<CancelReplayResult> {
  return inTransaction(pool, async (client) => {
    const found = await client.query<{ num: number; state: ReplayState }>(
      'SELECT num, state FROM replays WHERE id = $1 AND tenant_num = $2 FOR UPDATE',
      [id, tenant.num],
    );
    const replay = found.rows[0];
    if (replay === undefined) return 'not_found';
    if (replay.state === 'cancelled') return 'cancelled';
    if (replay.state === 'completed') return 'finished';
    await probeOnly(client);
    const withdrawn = await client.query<{ endpoint_num: number; order_key: number | null }>(WITHDRAW, [replay.num]);
    await promote(client, orderKeysOf(withdrawn.rows));
    await client.query(
      `UPDATE replays SET state = 'cancelled', finished_at = now(), queued = queued - $2 WHERE num = $1`,
      [replay.num, withdrawn.rowCount],
    );
    const after = { deliveries_withdrawn: withdrawn.rowCount };
    await appendAuditRow(client, { tenantNum: tenant.num, actor, action: 'replay.cancelled', object: id, after });
    return 'cancelled';
  });
}
