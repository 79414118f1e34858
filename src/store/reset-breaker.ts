import type { TenantRef } from '../domain/scope.ts';
import { appendAudit } from './audit.ts';
import { lockEndpoint } from './endpoint-rows.ts';
import { rewriteEndpointState } from './endpoint-states.ts';
import type { PrismaClient } from './prisma.ts';

/**
 * Forgets what is held against an endpoint.
 * @returns its number; null when the tenant has none of this id.
 */
export async function resetBreaker(
  prisma: PrismaClient,
  tenant: TenantRef,
  id: string,
  actor: string,
): Promise<number | null> {
  return prisma.$transaction(async (transaction) => {
    const row = await lockEndpoint(transaction, tenant.num, id);
    if (row === null) return null;
    await rewriteEndpointState(transaction, row.num, null);
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'endpoint.breaker_reset', object: id });
    return row.num;
  });
}
