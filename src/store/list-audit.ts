import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import type { ScanStep } from './bounded-scan.ts';
import type { PrismaClient } from './prisma.ts';
import { type WeighedList, weighPage } from './weigh-page.ts';

export interface AuditRecord {
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly before: unknown;
  readonly after: unknown;
}

const AUDIT: WeighedList = {
  table: 'audit_log',
  idType: 'uuid',
  bytes: 'coalesce(octet_length(x.before::text), 0) + coalesce(octet_length(x.after::text), 0)',
};

/** Changes of a tenant's configuration, newest first, after the one with id `after`. */
export async function listAudit(
  { prisma, apiPool }: { readonly prisma: PrismaClient; readonly apiPool: pg.Pool },
  tenant: TenantRef,
  after: string | undefined,
  limit: number,
): Promise<ScanStep<AuditRecord, string>> {
  const { ids, resume } = await weighPage(apiPool, AUDIT, tenant.num, after, limit);
  const where = { id: { in: [...ids] }, tenantNum: tenant.num };
  const rows = await prisma.auditEntry.findMany({ where, orderBy: { id: 'desc' }, omit: { tenantNum: true } });
  return { rows, resume };
}
