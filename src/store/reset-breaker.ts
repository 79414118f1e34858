import type { Caller, TenantRef } from '../domain/caller.ts';
import { appendAudit } from './audit.ts';
import { lockEndpoint } from './endpoint-rows.ts';
import { rewriteEndpointState } from './endpoint-states.ts';
import { appendNotice } from './notices.ts';
import type { PrismaClient, Transaction } from './prisma.ts';
import { wakeLaneOf } from './wake-lane.ts';

/**
 * Forgets what is held against an endpoint.
 * @returns its number; null when the tenant has none of this id.
 */
export async function resetBreaker(
  prisma: PrismaClient,
  tenant: TenantRef,
  id: string,
  caller: Caller,
): Promise<number | null> {
  const num = await prisma.$transaction(async (transaction) => {
    const row = await lockEndpoint(transaction, tenant.num, id);
    if (row === null) return null;
    const wasOpened = await hasOpened(transaction, row.num);
    await rewriteEndpointState(transaction, row.num, null);
    const { actor, kind: by } = caller;
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'endpoint.breaker_reset', object: id });
    const place = { tenantNum: tenant.num, endpointNum: row.num };
    if (wasOpened) await appendNotice(transaction, { kind: 'endpoint.breaker_closed', ...place, detail: { by } });
    return row.num;
  });
  if (num !== null) await wakeLaneOf((text, param) => prisma.$executeRawUnsafe(text, param), num);
  return num;
}

/** Whether its breaker has opened and not closed since: then people were told, and wait to hear of its end. */
async function hasOpened(transaction: Transaction, endpointNum: number): Promise<boolean> {
  const rows = await transaction.$queryRaw<{ openings: number | null }[]>`
    SELECT (gate->'breaker'->>'openings')::int AS openings FROM endpoint_states WHERE endpoint_num = ${endpointNum} FOR UPDATE`;
  return (rows[0]?.openings ?? 0) > 0;
}
