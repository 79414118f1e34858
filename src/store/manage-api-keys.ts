import type { Scope, TenantRef } from '../domain/caller.ts';
import { newId } from '../domain/ids.ts';
import { appendAudit } from './audit.ts';
import type { Clock } from './clock.ts';
import { makeKey } from './find-api-keys.ts';
import type { PrismaClient } from './prisma.ts';
import { holdTenant } from './tenants.ts';
import { transactionTime } from './transaction-time.ts';

/** A tenant's API key as it may be shown: neither the key nor its hash. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | null;
}

const shown = { id: true, name: true, scopes: true, expiresAt: true, createdAt: true } as const;

/** @returns the key in the clear: the only time that anyone sees it; null when the tenant is gone. */
export async function createKey(
  { prisma, clock }: { readonly prisma: PrismaClient; readonly clock: Clock },
  tenant: TenantRef,
  input: NewApiKey,
  actor: string,
): Promise<(ApiKey & { readonly key: string }) | null> {
  const { key, prefix, hash } = makeKey();
  return prisma.$transaction(async (transaction) => {
    // One that is made while its tenant is deleted would stay unrevoked.
    if (!(await holdTenant(transaction, tenant.num))) return null;
    const data = {
      id: newId('key', clock.nowMs()),
      tenantNum: tenant.num,
      ...input,
      scopes: [...input.scopes],
      prefix,
      hash,
    };
    const row = await transaction.apiKey.create({ data, select: shown });
    const after = { name: row.name, scopes: row.scopes, expires_at: row.expiresAt?.toISOString() ?? null };
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'key.created', object: row.id, after });
    return { ...toKey(row), key };
  });
}

/** Keys that were not revoked (expired ones included), newest first, after the one with id `after`. */
export async function listKeys(
  prisma: PrismaClient,
  tenant: TenantRef,
  after: string | undefined,
  limit: number,
): Promise<readonly ApiKey[]> {
  const position = after === undefined ? {} : { id: { lt: after } };
  const where = { tenantNum: tenant.num, revokedAt: null, ...position };
  const rows = await prisma.apiKey.findMany({ where, orderBy: { id: 'desc' }, take: limit, select: shown });
  return rows.map(toKey);
}

/** @returns whether there was such a key to revoke. */
export async function revokeKey(prisma: PrismaClient, tenant: TenantRef, id: string, actor: string): Promise<boolean> {
  return prisma.$transaction(async (transaction) => {
    const where = { id, tenantNum: tenant.num, revokedAt: null };
    const { count } = await transaction.apiKey.updateMany({
      where,
      data: { revokedAt: await transactionTime(transaction) },
    });
    if (count === 0) return false;
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'key.revoked', object: id });
    return true;
  });
}

function toKey(row: Omit<ApiKey, 'scopes'> & { readonly scopes: string[] }): ApiKey {
  return { ...row, scopes: row.scopes as Scope[] };
}
