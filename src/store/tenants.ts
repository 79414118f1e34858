import { newId } from '../domain/ids.ts';
import type { TenantRef } from '../domain/scope.ts';
import { appendAudit } from './audit.ts';
import type { PrismaClient } from './prisma.ts';
import { changeRouting } from './routing.ts';

export interface Tenant {
  readonly num: number;
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

/** @returns null when the id is taken, by a deleted tenant too: its events still carry it. */
export async function createTenant(
  prisma: PrismaClient,
  input: { id?: string | undefined; name: string },
  actor: string,
): Promise<Tenant | null> {
  const id = input.id ?? newId('tenant');
  return prisma.$transaction(async (transaction) => {
    const { count } = await transaction.tenant.createMany({ data: [{ id, name: input.name }], skipDuplicates: true });
    if (count === 0) return null;
    const tenant = await transaction.tenant.findUniqueOrThrow({ where: { id } });
    await appendAudit(transaction, {
      tenantNum: tenant.num,
      actor,
      action: 'tenant.created',
      object: id,
      after: { name: input.name },
    });
    return tenant;
  });
}

export async function findTenant(prisma: PrismaClient, id: string): Promise<Tenant | null> {
  // Postgres refuses a NUL inside text: an id that cannot be one is not worth a query.
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) return null;
  return prisma.tenant.findFirst({ where: { id, deletedAt: null } });
}

/** Newest first, after the tenant with number `before`. */
export async function listTenants(
  prisma: PrismaClient,
  before: number | undefined,
  limit: number,
): Promise<readonly Tenant[]> {
  return prisma.tenant.findMany({
    where: { deletedAt: null, ...(before === undefined ? {} : { num: { lt: before } }) },
    orderBy: { num: 'desc' },
    take: limit,
  });
}

export async function renameTenant(
  prisma: PrismaClient,
  tenant: TenantRef,
  name: string,
  actor: string,
): Promise<Tenant> {
  return prisma.$transaction(async (transaction) => {
    const before = await transaction.tenant.findUniqueOrThrow({ where: { num: tenant.num } });
    const after = await transaction.tenant.update({ where: { num: tenant.num }, data: { name } });
    const change = { before: { name: before.name }, after: { name } };
    await appendAudit(transaction, {
      tenantNum: tenant.num,
      actor,
      action: 'tenant.updated',
      object: tenant.id,
      ...change,
    });
    return after;
  });
}

/**
 * Marks the tenant, its endpoints and its keys as gone. Its facts stay until retention; what waits for its endpoints is cancelled by
 * their lanes. @returns the numbers of its endpoints.
 */
export async function deleteTenant(prisma: PrismaClient, tenant: TenantRef, actor: string): Promise<readonly number[]> {
  return prisma.$transaction(async (transaction) => {
    await changeRouting(transaction, tenant.num);
    const now = new Date();
    await transaction.tenant.update({ where: { num: tenant.num }, data: { deletedAt: now } });
    const ours = { tenantNum: tenant.num, deletedAt: null };
    const endpoints = await transaction.endpoint.findMany({ where: ours, select: { num: true } });
    await transaction.endpoint.updateMany({ where: ours, data: { deletedAt: now, version: { increment: 1 } } });
    await transaction.apiKey.updateMany({
      where: { tenantNum: tenant.num, revokedAt: null },
      data: { revokedAt: now },
    });
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'tenant.deleted', object: tenant.id });
    return endpoints.map((endpoint) => endpoint.num);
  });
}
