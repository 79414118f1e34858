import type { TenantRef } from '../domain/scope.ts';
import type { PrismaClient } from './prisma.ts';

export interface AuditRecord {
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Changes of a tenant's configuration, newest first, after the one with id `after`. */
export async function listAudit(
  prisma: PrismaClient,
  tenant: TenantRef,
  after: string | undefined,
  limit: number,
): Promise<readonly AuditRecord[]> {
  const position = after === undefined ? {} : { id: { lt: after } };
  const where = { tenantNum: tenant.num, ...position };
  return prisma.auditEntry.findMany({ where, orderBy: { id: 'desc' }, take: limit, omit: { tenantNum: true } });
}
