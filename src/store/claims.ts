import type pg from 'pg';
import { plainArray } from './plain-array.ts';

export interface ClaimedBy {
  readonly eventUuid: string;
  readonly externalId: string | null;
  readonly bodyHash: string;
  readonly deliveries: number;
}

/** A key, and the tenant whose event would claim it. */
export interface AskedKey {
  readonly key: string;
  readonly tenantNum: number;
}

interface ClaimRow {
  readonly key: string;
  readonly event_id: string;
  readonly external_id: string | null;
  readonly body_hash: string;
  readonly deliveries: number;
}

const CLAIM = 'k.key, k.event_id, k.body_hash, k.deliveries, e.external_id';

/** Which of these keys are claimed, by which event. Keys whose event is older than `expireBefore` count as free. */
export async function findClaims(
  pool: pg.Pool,
  keys: readonly string[],
  expireBefore: string,
): Promise<Map<string, ClaimedBy>> {
  const { rows } = await pool.query<ClaimRow>({
    name: 'find-claims',
    text: `SELECT ${CLAIM}
             FROM idempotency_keys k LEFT JOIN events e ON e.id = k.event_id
            WHERE k.key = ANY($1::uuid[]) AND k.event_id >= $2::uuid`,
    values: [plainArray(keys), expireBefore],
  });
  return claimsIn(rows);
}

/** The same, but for the keys of tenants that are deleted. */
export async function findLivingClaims(
  pool: pg.Pool,
  asked: readonly AskedKey[],
  expireBefore: string,
): Promise<Map<string, ClaimedBy>> {
  const { rows } = await pool.query<ClaimRow>({
    name: 'find-living-claims',
    text: `SELECT ${CLAIM}
             FROM unnest($1::uuid[], $2::int[]) AS asked (key, tenant_num)
             JOIN tenants t ON t.num = asked.tenant_num AND t.deleted_at IS NULL
             JOIN idempotency_keys k ON k.key = asked.key AND k.event_id >= $3::uuid
             LEFT JOIN events e ON e.id = k.event_id`,
    values: [
      plainArray(asked.map(({ key }) => key)),
      plainArray(asked.map(({ tenantNum }) => tenantNum)),
      expireBefore,
    ],
  });
  return claimsIn(rows);
}

function claimsIn(rows: readonly ClaimRow[]): Map<string, ClaimedBy> {
  const claims = new Map<string, ClaimedBy>();
  for (const { key, event_id, external_id, body_hash, deliveries } of rows)
    claims.set(key, { eventUuid: event_id, externalId: external_id, bodyHash: body_hash, deliveries });
  return claims;
}
