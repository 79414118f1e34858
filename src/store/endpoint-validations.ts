import type pg from 'pg';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { appendAudit } from './audit.ts';
import type { AuditAction } from './audit-actions.ts';
import { type Endpoint, lockEndpoint, toEndpoint } from './endpoint-rows.ts';
import type { EndpointStore } from './endpoints.ts';
import { plainArray } from './plain-array.ts';
import { transactionTime } from './transaction-time.ts';
import { toBeAsked } from './validation-columns.ts';
import { wakeLaneOf } from './wake-lane.ts';

/** An endpoint whose receiver is to be asked now. */
export interface ClaimedValidation {
  readonly endpointNum: number;
  readonly tenantNum: number;
  /** Which question this is: see `recordValidation`. */
  readonly epoch: number;
  /** This one included. */
  readonly tries: number;
}

/** What came of a question. */
export type ValidationResult =
  | { readonly kind: 'validated'; readonly origin: string; readonly allowedPerMinute: number | null }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'postponed'; readonly detail: string; readonly delayMs: number };

/** Questions of one tenant that a process has under way at the most: receivers that do not answer must not take the places of other tenants'. */
const MOST_OF_TENANT = 8;

// Tenants take turns: the one with the fewest questions under way comes first.
const CLAIM = `
  WITH asking AS (SELECT tenant_num, count(*) AS questions FROM unnest($3::int[]) AS a(tenant_num) GROUP BY tenant_num),
  waiting AS MATERIALIZED (
    SELECT p.num, p.validation_due_at AS since,
           row_number() OVER (PARTITION BY p.tenant_num ORDER BY p.validation_due_at) + coalesce(a.questions, 0) AS turn
      FROM endpoints p JOIN tenants t ON t.num = p.tenant_num LEFT JOIN asking a ON a.tenant_num = p.tenant_num
     WHERE p.validation_due_at <= now() AND p.enabled AND p.deleted_at IS NULL AND t.deleted_at IS NULL
  )
  UPDATE endpoints e
     SET validation_epoch = e.validation_epoch + 1, validation_tries = e.validation_tries + 1,
         validation_due_at = now() + $2::int * interval '1 millisecond'
    FROM (SELECT p.num FROM waiting w JOIN endpoints p ON p.num = w.num
           WHERE w.turn <= ${MOST_OF_TENANT} AND p.validation_due_at <= now() AND p.enabled AND p.deleted_at IS NULL
           ORDER BY w.turn, w.since LIMIT $1 FOR NO KEY UPDATE OF p SKIP LOCKED) due
   WHERE e.num = due.num
  RETURNING e.num AS "endpointNum", e.tenant_num AS "tenantNum", e.validation_epoch AS epoch, e.validation_tries AS tries`;

/**
 * Takes endpoints that are due for this process alone; one that does not record in time leaves them to be taken again.
 * @param asking the tenants of the questions that this process has under way, each as often as it has one
 */
export async function claimValidations(
  pool: pg.Pool,
  limit: number,
  leaseMs: number,
  asking: readonly number[] = [],
): Promise<ClaimedValidation[]> {
  return (await pool.query<ClaimedValidation>(CLAIM, [limit, leaseMs, plainArray(asking)])).rows;
}

/** Versions rise, so that the lane's owner reads the endpoint anew; the audit says what happened. */
const CONCLUDE = `
  WITH concluded AS (
    UPDATE endpoints
       SET validation_state = $3, validation_detail = $4, validated_origin = $5, allowed_per_minute = $6,
           validated_at = CASE WHEN $3 = 'validated' THEN now() END, validation_due_at = NULL, version = version + 1, updated_at = now()
     WHERE num = $1 AND validation_epoch = $2 AND validation_due_at IS NOT NULL AND deleted_at IS NULL
    RETURNING id, tenant_num
  )
  INSERT INTO audit_log (tenant_num, actor, action, object, after)
  SELECT tenant_num, 'system', $7, id, $8 FROM concluded`;

const POSTPONE = `
  UPDATE endpoints SET validation_detail = $3, validation_due_at = now() + $4::int * interval '1 millisecond'
   WHERE num = $1 AND validation_epoch = $2 AND validation_due_at IS NOT NULL`;

/** @returns false when the endpoint was asked for anew or deleted meanwhile: then the answer changes nothing. */
export async function recordValidation(
  pool: pg.Pool,
  { endpointNum, epoch }: ClaimedValidation,
  result: ValidationResult,
): Promise<boolean> {
  const { rowCount } = await (result.kind === 'postponed'
    ? pool.query(POSTPONE, [endpointNum, epoch, result.detail, result.delayMs])
    : pool.query(CONCLUDE, [endpointNum, epoch, ...conclusionOf(result)]));
  const isWritten = rowCount === 1;
  if (isWritten && result.kind === 'validated') await wakeLaneOf((text, num) => pool.query(text, [num]), endpointNum);
  return isWritten;
}

function conclusionOf(result: Exclude<ValidationResult, { kind: 'postponed' }>): unknown[] {
  if (result.kind === 'refused') {
    const { kind, detail } = result;
    return [kind, detail, null, null, 'endpoint.validation_refused' satisfies AuditAction, { detail }];
  }
  const { kind, origin, allowedPerMinute } = result;
  const after = { origin, allowed_per_minute: allowedPerMinute };
  return [kind, null, origin, allowedPerMinute, 'endpoint.validated' satisfies AuditAction, after];
}

/**
 * Has a receiver asked again; until it has answered, deliveries wait.
 * @returns null when the tenant has no endpoint of this id, 'not_wanted' when the endpoint asks for no validation.
 */
export async function askValidation(
  { prisma, vault }: EndpointStore,
  tenant: TenantRef,
  id: string,
  caller: Caller,
): Promise<Endpoint | 'not_wanted' | null> {
  return prisma.$transaction(async (transaction) => {
    const row = await lockEndpoint(transaction, tenant.num, id);
    if (row === null) return null;
    if (row.validation === 'none') return 'not_wanted';
    const updated = await transaction.endpoint.update({
      where: { num: row.num },
      data: {
        ...toBeAsked(),
        validationEpoch: { increment: 1 },
        version: { increment: 1 },
        updatedAt: await transactionTime(transaction),
      },
    });
    const { actor } = caller;
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'endpoint.validation_asked', object: id });
    return toEndpoint(updated, vault);
  });
}
