import type pg from 'pg';
import type { Caller, TenantRef } from '../domain/caller.ts';
import type { ValidationMode, VersionState } from '../domain/event-type.ts';
import { appendAudit } from './audit.ts';
import type { ScanStep } from './bounded-scan.ts';
import { withinBytes } from './page-bytes.ts';
import type { Prisma, PrismaClient, Transaction } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { holdTenant } from './tenants.ts';
import { transactionTime } from './transaction-time.ts';
import { undoable } from './undoable.ts';

/** Event types of a tenant, and versions of one type. */
export const MAX_EVENT_TYPES = 1_000;
export const MAX_VERSIONS = 100;

/** What lists say of a version. */
export interface VersionSummary {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly description: string;
  readonly state: VersionState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface EventTypeVersion extends VersionSummary {
  /** JSON texts. Schema and casts never change. */
  readonly schema: string;
  readonly example: string | null;
  readonly casts: string | null;
}

export interface EventType<Version extends VersionSummary = VersionSummary> {
  readonly num: number;
  readonly type: string;
  readonly description: string;
  readonly validation: ValidationMode;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Oldest first. */
  readonly versions: readonly Version[];
}

const oldestFirst = {
  orderBy: [{ major: 'asc' }, { minor: 'asc' }, { patch: 'asc' }],
} satisfies Prisma.EventType$versionsArgs;
const summaries = {
  ...oldestFirst,
  omit: { schema: true, example: true, casts: true },
} satisfies Prisma.EventType$versionsArgs;

interface Row extends Omit<EventType, 'validation' | 'versions'> {
  readonly validation: string;
}

function toEventType<Version extends { readonly state: string }>(row: Row & { readonly versions: readonly Version[] }) {
  return {
    ...row,
    validation: row.validation as ValidationMode,
    versions: row.versions.map((version) => ({ ...version, state: version.state as VersionState })),
  };
}

export async function findEventType(
  prisma: PrismaClient | Transaction,
  tenant: TenantRef,
  type: string,
): Promise<EventType | null> {
  const where = { tenantNum_type: { tenantNum: tenant.num, type } };
  const row = await prisma.eventType.findUnique({ where, include: { versions: summaries } });
  return row === null ? null : toEventType(row);
}

/** The same with all that its versions say. */
export async function findWholeType(
  prisma: PrismaClient | Transaction,
  tenant: TenantRef,
  type: string,
): Promise<EventType<EventTypeVersion> | null> {
  const where = { tenantNum_type: { tenantNum: tenant.num, type } };
  const row = await prisma.eventType.findUnique({ where, include: { versions: oldestFirst } });
  return row === null ? null : toEventType(row);
}

/** All that one version of a type says. */
export async function findVersion(
  prisma: PrismaClient,
  { num: typeNum }: EventType,
  { major, minor, patch }: Pick<VersionSummary, 'major' | 'minor' | 'patch'>,
): Promise<EventTypeVersion | null> {
  const where = { typeNum_major_minor_patch: { typeNum, major, minor, patch } };
  const row = await prisma.eventTypeVersion.findUnique({ where });
  return row === null ? null : toVersion(row);
}

export function toVersion<Row extends { readonly state: string }>(row: Row): Row & { readonly state: VersionState } {
  return { ...row, state: row.state as VersionState };
}

// How long a text is, is known without reading it. A version has times, a state and names besides.
const WEIGH_TYPES = `
  SELECT t.num, (octet_length(t.description) + (
           SELECT coalesce(sum(octet_length(v.description) + 200), 0) FROM event_type_versions v WHERE v.type_num = t.num))::int AS bytes
    FROM (SELECT num, description FROM event_types WHERE tenant_num = $1 AND ($2::int IS NULL OR num < $2) ORDER BY num DESC LIMIT $3) t
   ORDER BY t.num DESC`;

/** Newest first, after the one with number `before`. */
export async function listEventTypes(
  { prisma, apiPool }: { readonly prisma: PrismaClient; readonly apiPool: pg.Pool },
  tenant: TenantRef,
  before: number | undefined,
  limit: number,
): Promise<ScanStep<EventType, number>> {
  const { rows: weighed } = await apiPool.query<{ num: number; bytes: number }>(WEIGH_TYPES, [
    tenant.num,
    before ?? null,
    limit + 1,
  ]);
  const nums = withinBytes(weighed.slice(0, limit)).map(({ num }) => num);
  const where = { num: { in: nums }, tenantNum: tenant.num };
  const rows = await prisma.eventType.findMany({ where, orderBy: { num: 'desc' }, include: { versions: summaries } });
  return { rows: rows.map(toEventType), resume: nums.length < weighed.length ? nums.at(-1)! : null };
}

export interface TypePatch {
  readonly description?: string | undefined;
  readonly validation?: ValidationMode | undefined;
}

/** Changes what the patch names. @returns null when the tenant has no such type. */
export async function updateEventType(
  prisma: PrismaClient,
  tenant: TenantRef,
  type: string,
  patch: TypePatch,
  caller: Caller,
): Promise<EventType | null> {
  const seen = await findEventType(prisma, tenant, type);
  if (seen === null || isEmpty(changesOf(seen, patch))) return seen;
  const { hold, wanted } = holdFor(changesOf(seen, patch), patch);
  return undoable<EventType | null>(prisma, async (transaction, undo) => {
    const isThere = await hold(transaction, tenant.num);
    const before = isThere ? await findEventType(transaction, tenant, type) : null;
    if (before === null) return undo(null);
    const changes = changesOf(before, wanted);
    if (isEmpty(changes)) return undo(before);
    await transaction.eventType.update({
      where: { num: before.num },
      data: { ...changes, updatedAt: await transactionTime(transaction) },
    });
    await appendAudit(transaction, {
      ...{ tenantNum: tenant.num, actor: caller.actor, action: 'event_type.updated', object: type },
      before: pick(before, Object.keys(changes)),
      after: changes,
    });
    return findEventType(transaction, tenant, type);
  });
}

/** Those of the values that are given and differ from what is there. */
export function changesOf<T extends object>(before: T, patch: { readonly [K in keyof T]?: string | null | undefined }) {
  const isChange = ([name, value]: [string, unknown]) => value !== undefined && value !== before[name as keyof T];
  return Object.fromEntries(Object.entries(patch).filter(isChange)) as Record<string, string>;
}

export function isEmpty(changes: object): boolean {
  return Object.keys(changes).length === 0;
}

export function pick(from: object, names: readonly string[]): Prisma.InputJsonObject {
  return Object.fromEntries(names.map((name) => [name, (from as Record<string, Prisma.InputJsonValue>)[name] ?? null]));
}

const PROSE = ['description', 'example'];

/**
 * The lock under which a change of a type or version is made. A change of texts that only people read holds back no commits: no delivery is
 * made differently for it. The other settings that the patch names already had the asked value when they were read. Whatever they are by now,
 * they stay: as if this change had been made before somebody else's.
 * @param changes those of `patch` that differed when it was seen
 */
export function holdFor<Patch extends object>(changes: object, patch: Patch) {
  const isProse = Object.keys(changes).every((name) => PROSE.includes(name));
  return isProse
    ? { isProse, hold: holdTenant, wanted: changes as Patch }
    : { isProse, hold: changeTypes, wanted: patch };
}

/**
 * Call first in every transaction that changes a tenant's event types in a way that events or deliveries depend on. Events that were checked
 * before are checked again (`changeRouting`), and deliveries to endpoints that pin versions are made by the changed types.
 * @returns whether the tenant exists; if so, it stays until the transaction ends
 */
export async function changeTypes(transaction: Transaction, tenantNum: number): Promise<boolean> {
  if (!(await changeRouting(transaction, tenantNum))) return false;
  await transaction.$executeRaw`UPDATE tenants SET types_version = types_version + 1 WHERE num = ${tenantNum}`;
  await transaction.$executeRaw`
    UPDATE endpoints SET version = version + 1
     WHERE tenant_num = ${tenantNum} AND version_pins <> '[]' AND deleted_at IS NULL`;
  return true;
}
