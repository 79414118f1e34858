import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { type OutcomeName, outcomeName } from './codes.ts';
import { plainArray } from './plain-array.ts';

export interface AnnouncedEndpoint {
  readonly tenant: TenantRef;
  readonly id: string;
  readonly description: string;
}

/** Endpoints by their numbers. Deleted ones are among them: what happened to them is told all the same. */
export async function announcedEndpoints(
  pool: pg.Pool,
  nums: readonly number[],
): Promise<Map<number, AnnouncedEndpoint>> {
  const { rows } = await pool.query<{
    num: number;
    id: string;
    description: string;
    tenant_num: number;
    tenant_id: string;
  }>(
    `SELECT e.num, e.id, e.description, e.tenant_num, t.id AS tenant_id
       FROM endpoints e JOIN tenants t ON t.num = e.tenant_num WHERE e.num = ANY($1::int[])`,
    [plainArray(nums)],
  );
  return new Map(
    rows.map(({ num, id, description, tenant_num, tenant_id }) => [
      num,
      { id, description, tenant: { num: tenant_num, id: tenant_id } },
    ]),
  );
}

/** An endpoint that names system events in its subscriptions. */
export interface SystemSubscriber {
  readonly tenantNum: number;
  readonly num: number;
  readonly patterns: readonly string[];
}

/** How many subscribers of one tenant are looked at. If there are more, it is taken for granted that somebody wants to know. */
export const MOST_SUBSCRIBERS = 1_000;

/** Who may want system events of these tenants, as committed now. */
export async function systemSubscribers(pool: pg.Pool, tenantNums: readonly number[]): Promise<SystemSubscriber[]> {
  const { rows } = await pool.query<{ tenant_num: number; num: number; subscriptions: { types?: string[] }[] }>(
    `SELECT t.num AS tenant_num, e.num, e.subscriptions
       FROM unnest($1::int[]) AS given(num) JOIN tenants t ON t.num = given.num AND t.deleted_at IS NULL
      CROSS JOIN LATERAL (
        SELECT num, subscriptions FROM endpoints
         WHERE tenant_num = t.num AND enabled AND deleted_at IS NULL
           AND jsonb_path_exists(subscriptions, '$[*].types[*] ? (@ starts with "system")')
         LIMIT ${MOST_SUBSCRIBERS}
      ) e`,
    [plainArray(tenantNums)],
  );
  return rows.map(({ tenant_num, num, subscriptions }) => {
    return { tenantNum: tenant_num, num, patterns: subscriptions.flatMap(({ types }) => types ?? []) };
  });
}

export interface AttemptKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
  readonly attempt: number;
}

/** What is on record of an attempt; null for what retention has dropped already. */
export interface AnnouncedAttempt extends AttemptKey {
  readonly externalId: string | null;
  readonly eventType: string | null;
  readonly outcome: OutcomeName | null;
  readonly status: number | null;
  readonly nextAttemptAt: Date | null;
}

export async function announcedAttempts(pool: pg.Pool, keys: readonly AttemptKey[]): Promise<AnnouncedAttempt[]> {
  if (keys.length === 0) return [];
  const { rows } = await pool.query<{
    event_id: string;
    endpoint_num: number;
    attempt: number;
    external_id: string | null;
    type: string | null;
    outcome: number | null;
    status: number | null;
    next_attempt_at: Date | null;
  }>(
    `SELECT k.*, e.external_id, e.type, a.outcome, a.status, a.next_attempt_at
       FROM unnest($1::uuid[], $2::int[], $3::smallint[]) AS k(event_id, endpoint_num, attempt)
       LEFT JOIN events e ON e.id = k.event_id
       LEFT JOIN attempts a ON a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.attempt = k.attempt`,
    [
      plainArray(keys.map((key) => key.eventUuid)),
      plainArray(keys.map((key) => key.endpointNum)),
      plainArray(keys.map((key) => key.attempt)),
    ],
  );
  return rows.map((row) => ({
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    attempt: row.attempt,
    externalId: row.external_id,
    eventType: row.type,
    outcome: row.outcome === null ? null : outcomeName(row.outcome),
    status: row.status,
    nextAttemptAt: row.next_attempt_at,
  }));
}
