import type pg from 'pg';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { idFloor, newId } from '../domain/ids.ts';
import { appendAudit } from './audit.ts';
import type { ScanStep } from './bounded-scan.ts';
import type { Clock } from './clock.ts';
import { destinationColumns } from './endpoint-destination.ts';
import { auditView, columnsOf, type Endpoint, type EndpointSettings, toEndpoint } from './endpoint-rows.ts';
import { insertSecret } from './endpoint-secrets.ts';
import type { PrismaClient } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { haveTooManyBytes, subscriptionBytes } from './subscription-bytes.ts';
import { undoable } from './undoable.ts';
import { validationColumns } from './validation-columns.ts';
import type { Vault } from './vault.ts';
import { type WeighedList, weighPage } from './weigh-page.ts';

/** Endpoints of one tenant: a bound on what one tenant can make routing and memory carry. */
export const MAX_ENDPOINTS = 10_000;
/** Those that it may make within a day, deleted or not: what is deleted stays for its deliveries, and each change holds up commits for a moment. */
export const MAX_NEW_ENDPOINTS = 2 * MAX_ENDPOINTS;
const DAY_MS = 86_400_000;

export interface EndpointStore {
  readonly prisma: PrismaClient;
  readonly vault: Vault;
  readonly clock: Clock;
}

export type CreatedEndpoint =
  | { readonly kind: 'created'; readonly endpoint: Endpoint }
  | { readonly kind: 'too_many' }
  | { readonly kind: 'too_many_new' }
  /** See `MAX_SUBSCRIPTION_BYTES`. */
  | { readonly kind: 'too_much_text' }
  | { readonly kind: 'tenant_gone' };

/** @param secret the first signing secret, of the kind that `settings.signature` wants */
export async function createEndpoint(
  { prisma, vault, clock }: EndpointStore,
  tenant: TenantRef,
  settings: EndpointSettings,
  secret: string,
  caller: Caller,
): Promise<CreatedEndpoint> {
  if (await hasTooManyNew(prisma, tenant.num, clock.nowMs())) return { kind: 'too_many_new' };
  const id = newId('ep', clock.nowMs());
  return undoable<CreatedEndpoint>(prisma, async (transaction, undo) => {
    if (!(await changeRouting(transaction, tenant.num))) return undo({ kind: 'tenant_gone' });
    // Nobody else makes one until the commit.
    const count = await transaction.endpoint.count({ where: { tenantNum: tenant.num, deletedAt: null } });
    if (count >= MAX_ENDPOINTS) return undo({ kind: 'too_many' });
    const disabledReason = settings.enabled ? null : disabledBy(caller);
    const row = await transaction.endpoint.create({
      data: {
        ...{ id, tenantNum: tenant.num, disabledReason },
        ...columnsOf(settings, id, vault),
        ...destinationColumns(settings.destination, id, vault),
        ...validationColumns(settings.validation),
      },
    });
    if (await haveTooManyBytes(transaction, tenant.num)) return undo({ kind: 'too_much_text' });
    await insertSecret(transaction, { vault, clock }, row, secret);
    const change = { action: 'endpoint.created' as const, object: id, after: auditView(settings) };
    await appendAudit(transaction, { tenantNum: tenant.num, actor: caller.actor, ...change });
    return { kind: 'created', endpoint: toEndpoint(row, vault) };
  });
}

/** Asked before others have to wait: some that are made at once may be past the bound. */
async function hasTooManyNew(prisma: PrismaClient, tenantNum: number, nowMs: number): Promise<boolean> {
  const [row] = await prisma.$queryRaw<{ n: number }[]>`
    SELECT count(*)::int AS n FROM (
      SELECT 1 FROM endpoints WHERE tenant_num = ${tenantNum} AND id >= ${idFloor('ep', nowMs - DAY_MS)} LIMIT ${MAX_NEW_ENDPOINTS}) made`;
  return row!.n >= MAX_NEW_ENDPOINTS;
}

export async function findEndpoint(
  store: Pick<EndpointStore, 'prisma' | 'vault'>,
  tenant: TenantRef,
  id: string,
): Promise<Endpoint | null> {
  const row = await store.prisma.endpoint.findFirst({ where: { id, tenantNum: tenant.num, deletedAt: null } });
  return row === null ? null : toEndpoint(row, store.vault);
}

const ENDPOINTS: WeighedList = {
  table: 'endpoints',
  idType: 'text',
  condition: 'x.deleted_at IS NULL',
  bytes: `${subscriptionBytes('x')} + octet_length(x.metadata::text) + octet_length(x.version_pins::text) + octet_length(x.description)
    + octet_length(x.url) + coalesce(octet_length(x.destination::text), 0) + coalesce(octet_length(x.headers_sealed), 0)`,
};

/** Newest first, after the one with id `after`. */
export async function listEndpoints(
  { prisma, apiPool, vault }: Pick<EndpointStore, 'prisma' | 'vault'> & { readonly apiPool: pg.Pool },
  tenant: TenantRef,
  after: string | undefined,
  limit: number,
): Promise<ScanStep<Endpoint, string>> {
  const { ids, resume } = await weighPage(apiPool, ENDPOINTS, tenant.num, after, limit);
  const where = { id: { in: [...ids] }, tenantNum: tenant.num, deletedAt: null };
  const rows = await prisma.endpoint.findMany({ where, orderBy: { id: 'desc' } });
  return { rows: rows.map((row) => toEndpoint(row, vault)), resume };
}

/**
 * Marks an endpoint as gone: no event matches it any more, and its lane cancels what waits.
 * @returns its number; null when the tenant has none of this id.
 */
export async function deleteEndpoint(
  prisma: PrismaClient,
  tenant: TenantRef,
  id: string,
  actor: string,
): Promise<number | null> {
  const where = { id, tenantNum: tenant.num, deletedAt: null };
  const found = await prisma.endpoint.findFirst({ where, select: { num: true } });
  if (found === null) return null;
  return undoable<number | null>(prisma, async (transaction, undo) => {
    if (!(await changeRouting(transaction, tenant.num))) return undo(null);
    // By Postgres's clock: what waits is cancelled for a day from then on.
    const count = await transaction.$executeRaw`
      UPDATE endpoints SET deleted_at = now(), updated_at = now(), version = version + 1
       WHERE num = ${found.num} AND tenant_num = ${tenant.num} AND deleted_at IS NULL`;
    if (count === 0) return undo(null);
    await appendAudit(transaction, { tenantNum: tenant.num, actor, action: 'endpoint.deleted', object: id });
    return found.num;
  });
}

/** What people read as the reason of an endpoint that somebody switched off. */
export function disabledBy(caller: Caller): string {
  return `disabled by ${caller.kind}`;
}
