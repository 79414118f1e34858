import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { newId } from '../domain/ids.ts';
import type { LimitSettings } from '../domain/ingest-limits.ts';
import { appendAudit } from './audit.ts';
import type { Clock } from './clock.ts';
import { Prisma, type PrismaClient, type Transaction } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { undoable } from './undoable.ts';

export interface Tenant {
  readonly num: number;
  readonly id: string;
  readonly name: string;
  /** As its operator set them; null: the installation's defaults alone. */
  readonly limits: LimitSettings | null;
  readonly createdAt: Date;
}

/** What may change; absent: stays. */
export interface TenantPatch {
  readonly name?: string | undefined;
  readonly limits?: LimitSettings | null | undefined;
}

interface Row extends Omit<Tenant, 'limits'> {
  readonly limits: Prisma.JsonValue;
}

function toTenant({ num, id, name, limits, createdAt }: Row): Tenant {
  return { num, id, name, limits: limits as LimitSettings | null, createdAt };
}

function columnsOf({ name, limits }: TenantPatch) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(limits === undefined ? {} : { limits: limits === null ? Prisma.DbNull : jsonOf(limits) }),
  };
}

const jsonOf = (limits: LimitSettings): Prisma.InputJsonObject => JSON.parse(JSON.stringify(limits));

function auditOf({ name, limits }: TenantPatch): Prisma.InputJsonObject {
  return {
    ...(name === undefined ? {} : { name }),
    ...(limits === undefined ? {} : { limits: limits === null ? null : jsonOf(limits) }),
  };
}

/** @returns null when the id is taken, by a deleted tenant too: its events still carry it. */
export async function createTenant(
  { prisma, clock }: { readonly prisma: PrismaClient; readonly clock: Clock },
  input: TenantPatch & { id?: string | undefined; name: string },
  actor: string,
): Promise<Tenant | null> {
  const id = input.id ?? newId('tenant', clock.nowMs());
  return prisma.$transaction(async (transaction) => {
    const { count } = await transaction.tenant.createMany({
      data: [{ id, name: input.name, ...columnsOf(input) }],
      skipDuplicates: true,
    });
    if (count === 0) return null;
    const tenant = await transaction.tenant.findUniqueOrThrow({ where: { id } });
    await appendAudit(transaction, {
      tenantNum: tenant.num,
      actor,
      action: 'tenant.created',
      object: id,
      after: auditOf(input),
    });
    return toTenant(tenant);
  });
}

// Postgres refuses a NUL inside text: an id that cannot be one is not worth a query.
const TENANT_ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * What events need of tenants.
 * @returns by id; absent: deleted or unknown
 */
export async function findTenantRefs(pool: pg.Pool, ids: readonly string[]): Promise<ReadonlyMap<string, TenantRef>> {
  const asked = new Set(ids.filter((id) => TENANT_ID.test(id)));
  if (asked.size === 0) return new Map();
  const { rows } = await pool.query<TenantRef>({
    name: 'find-tenants',
    text: 'SELECT num, id FROM tenants WHERE id = ANY($1::text[]) AND deleted_at IS NULL',
    values: [[...asked]],
  });
  return new Map(rows.map(({ num, id }) => [id, { num, id }]));
}

export async function findTenant(prisma: PrismaClient, id: string): Promise<Tenant | null> {
  if (!TENANT_ID.test(id)) return null;
  const found = await prisma.tenant.findFirst({ where: { id, deletedAt: null } });
  return found === null ? null : toTenant(found);
}

/** How many tenants there ever were, deleted ones included. */
export function countTenants(prisma: PrismaClient): Promise<number> {
  return prisma.tenant.count();
}

/** @returns the id of the oldest that is not deleted, or null */
export async function findOldestTenant(prisma: PrismaClient): Promise<string | null> {
  const found = await prisma.tenant.findFirst({
    where: { deletedAt: null },
    orderBy: { num: 'asc' },
    select: { id: true },
  });
  return found?.id ?? null;
}

/** Newest first, after the tenant with number `before`. */
export async function listTenants(
  prisma: PrismaClient,
  before: number | undefined,
  limit: number,
): Promise<readonly Tenant[]> {
  const found = await prisma.tenant.findMany({
    where: { deletedAt: null, ...(before === undefined ? {} : { num: { lt: before } }) },
    orderBy: { num: 'desc' },
    take: limit,
  });
  return found.map(toTenant);
}

/** Changes what the patch names. Limits are replaced whole; every process goes by them within a second or two. @returns null when it is gone */
export async function updateTenant(
  prisma: PrismaClient,
  tenant: TenantRef,
  patch: TenantPatch,
  actor: string,
): Promise<Tenant | null> {
  return prisma.$transaction(async (transaction) => {
    if (!(await holdTenant(transaction, tenant.num))) return null;
    const before = toTenant(await transaction.tenant.findUniqueOrThrow({ where: { num: tenant.num } }));
    const after = await transaction.tenant.update({ where: { num: tenant.num }, data: columnsOf(patch) });
    const old = {
      name: patch.name === undefined ? undefined : before.name,
      limits: patch.limits === undefined ? undefined : before.limits,
    };
    await appendAudit(transaction, {
      tenantNum: tenant.num,
      actor,
      action: 'tenant.updated',
      object: tenant.id,
      before: auditOf(old),
      after: auditOf(patch),
    });
    return toTenant(after);
  });
}

/** Whether the tenant is there. It is not changed or deleted by others then, until the transaction ends. */
export async function holdTenant(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const rows = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM tenants WHERE num = ${tenantNum} AND deleted_at IS NULL FOR NO KEY UPDATE`;
  return rows.length === 1;
}

/**
 * Marks the tenant, its endpoints and its keys as gone. Its facts stay until retention; what waits for its endpoints is cancelled by
 * their lanes. @returns the numbers of its endpoints; null when it is gone already.
 */
export async function deleteTenant(
  prisma: PrismaClient,
  tenant: TenantRef,
  actor: string,
): Promise<readonly number[] | null> {
  return undoable<readonly number[] | null>(prisma, async (transaction, undo) => {
    if (!(await changeRouting(transaction, tenant.num))) return undo(null);
    // By Postgres's clock: what waits is cancelled for a day from then on.
    await transaction.$executeRaw`UPDATE tenants SET deleted_at = now() WHERE num = ${tenant.num}`;
    const endpoints = await transaction.$queryRaw<{ num: number }[]>`
      UPDATE endpoints SET deleted_at = now(), version = version + 1
       WHERE tenant_num = ${tenant.num} AND deleted_at IS NULL RETURNING num`;
    await transaction.$executeRaw`UPDATE api_keys SET revoked_at = now() WHERE tenant_num = ${tenant.num} AND revoked_at IS NULL`;
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'tenant.deleted', object: tenant.id });
    return endpoints.map((endpoint) => endpoint.num);
  });
}
