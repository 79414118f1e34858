import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { newId } from '../domain/ids.ts';
import { appendAuditRow } from './audit-row.ts';
import type { ScanStep } from './bounded-scan.ts';
import type { Clock } from './clock.ts';
import type { DeadLetterReason } from './dead-letter-reason.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { inTransaction } from './in-transaction.ts';
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
  /** Deliveries that were left out because their endpoints were disabled. */
  readonly skipped: number;
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
  skipped: number;
  queued: number;
  waiting: number;
  created_at: Date;
  finished_at: Date | null;
}

const COLUMNS = `r.num, r.id, r.state, r.filter->'request' AS request, r.matched, r.skipped, r.queued, r.created_at, r.finished_at,
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
       RETURNING num, id, state, filter->'request' AS request, matched, skipped, queued, created_at, finished_at, 0 AS waiting`,
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
