import { newId } from '../domain/ids.ts';
import { appendAudit } from './audit.ts';
import type { AuditAction } from './audit-actions.ts';
import type { Clock } from './clock.ts';
import { Prisma, type PrismaClient, type Transaction } from './prisma.ts';
import { transactionTime } from './transaction-time.ts';
import { sealedPlace, unlessUnreadable, type Vault } from './vault.ts';

/** A description without its secrets, and these by their paths in it. */
export interface SourceDescription {
  readonly plain: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

export interface SourceStore {
  readonly prisma: PrismaClient;
  readonly vault: Vault;
  readonly clock: Clock;
}

/** Where events come from beside HTTP. */
export interface SourceRecord {
  readonly num: number;
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Where it was made: one of the file of sources is changed there. */
  readonly origin: 'api' | 'file';
  /** Without its secrets. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly paused: boolean;
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A source with its secrets in the clear: never log it. */
export interface OpenSource extends SourceRecord {
  readonly secrets: Readonly<Record<string, string>>;
}

type Row = Omit<SourceRecord, 'config' | 'origin'> & {
  readonly config: Prisma.JsonValue;
  readonly origin: string;
  readonly secretsSealed: Uint8Array | null;
};

function toSource({ secretsSealed: _, config, origin, ...rest }: Row): SourceRecord {
  return { ...rest, origin: origin === 'file' ? 'file' : 'api', config: config as Record<string, unknown> };
}

/** @returns null when another source has the name. */
export async function createSource(
  { prisma, vault, clock }: SourceStore,
  input: { readonly name: string; readonly type: string; readonly origin: 'api' | 'file' } & SourceDescription,
  actor: string,
): Promise<SourceRecord | null> {
  try {
    return await prisma.$transaction((transaction) => insertSource(transaction, { vault, clock }, input, actor));
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') return null;
    throw error;
  }
}

async function insertSource(
  transaction: Transaction,
  { vault, clock }: Pick<SourceStore, 'vault' | 'clock'>,
  { name, type, origin, plain, secrets }: Parameters<typeof createSource>[1],
  actor: string,
): Promise<SourceRecord> {
  const id = newId('src', clock.nowMs());
  const data = { id, name, type, origin, ...contentOf(vault, id, { plain, secrets }) };
  const source = await transaction.source.create({ data });
  await audit(transaction, actor, 'source.created', id, { after: jsonOf(plain) });
  return toSource(source);
}

/** Newest first, after the source with number `before`. */
export async function listSources(
  prisma: PrismaClient,
  before: number | undefined,
  limit: number,
): Promise<readonly SourceRecord[]> {
  const where = { deletedAt: null, ...(before === undefined ? {} : { num: { lt: before } }) };
  return (await prisma.source.findMany({ where, orderBy: { num: 'desc' }, take: limit })).map(toSource);
}

/** @param options.deleted a deleted one too: what it rejected is still there. */
export async function findSource(
  prisma: PrismaClient,
  id: string,
  options: { readonly deleted?: boolean } = {},
): Promise<SourceRecord | null> {
  const found = await prisma.source.findFirst({
    where: { id, ...(options.deleted === true ? {} : { deletedAt: null }) },
  });
  return found === null ? null : toSource(found);
}

/** Every source that is to be consumed or is paused, with its secrets opened. One whose secrets cannot be opened has none. */
export async function openSources(
  prisma: PrismaClient,
  vault: Vault,
  onUnopened: (id: string, error: unknown) => void,
): Promise<readonly OpenSource[]> {
  const rows = await prisma.source.findMany({ where: { deletedAt: null }, orderBy: { num: 'asc' } });
  return rows.flatMap((row) => {
    try {
      return [{ ...toSource(row), secrets: openSecrets(vault, row) }];
    } catch (error) {
      onUnopened(row.id, error);
      return [];
    }
  });
}

export type SourceChange = 'changed' | 'not_found' | 'of_file';

/** Pauses or resumes it. Every process goes by it within a few seconds. */
export async function setPaused(
  prisma: PrismaClient,
  id: string,
  paused: boolean,
  actor: string,
): Promise<SourceChange> {
  return prisma.$transaction(async (transaction) => {
    const { count } = await transaction.source.updateMany({
      where: { id, deletedAt: null, paused: !paused },
      data: { paused, updatedAt: await transactionTime(transaction) },
    });
    if (count > 0) await audit(transaction, actor, paused ? 'source.paused' : 'source.resumed', id, {});
    else if ((await transaction.source.count({ where: { id, deletedAt: null } })) === 0) return 'not_found';
    return 'changed';
  });
}

/** Deletes it; what it rejected stays until retention. */
export async function deleteSource(prisma: PrismaClient, id: string, actor: string): Promise<SourceChange> {
  return prisma.$transaction(async (transaction) => {
    const found = await transaction.source.findFirst({ where: { id, deletedAt: null } });
    if (found === null) return 'not_found';
    if (found.origin === 'file') return 'of_file';
    return (await markDeleted(transaction, id, actor)) ? 'changed' : 'not_found';
  });
}

/**
 * Makes the sources of the file what the file says, in one transaction: new ones are made, others changed where they differ, and those that
 * the file no longer has are deleted. @returns names that sources made by the API have already; then nothing was changed.
 */
export async function applySourcesFile(
  { prisma, vault, clock }: SourceStore,
  wanted: readonly ({ readonly name: string; readonly type: string } & SourceDescription)[],
): Promise<readonly string[]> {
  return prisma.$transaction(async (transaction) => {
    // Processes that start together apply it one after the other.
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${FILE_LOCK})`;
    const rows = await transaction.source.findMany({ where: { deletedAt: null } });
    const byName = new Map(rows.map((row) => [row.name, row]));
    const taken = wanted.filter(({ name }) => byName.get(name)?.origin === 'api').map(({ name }) => name);
    if (taken.length > 0) return taken;
    const names = new Set(wanted.map(({ name }) => name));
    for (const { id, name, origin } of rows) {
      if (origin === 'file' && !names.has(name)) await markDeleted(transaction, id, 'system');
    }
    for (const source of wanted) {
      const row = byName.get(source.name);
      if (row === undefined) await insertSource(transaction, { vault, clock }, { ...source, origin: 'file' }, 'system');
      else await changeSource(transaction, vault, row, source);
    }
    return [];
  });
}

/** Any fixed number will do; 7418 is ours. */
const FILE_LOCK = 7418;

async function changeSource(
  transaction: Transaction,
  vault: Vault,
  row: Row & { readonly id: string },
  { type, plain, secrets }: { readonly type: string } & SourceDescription,
): Promise<void> {
  // Secrets that cannot be opened differ from those of the file, which replace them.
  const known = unlessUnreadable(() => openSecrets(vault, row));
  const isSame = sameJson(row.config, plain) && sameJson(known, secrets) && row.type === type;
  if (isSame) return;
  const content = contentOf(vault, row.id, { plain, secrets });
  const data = { type, ...content, version: { increment: 1 }, updatedAt: await transactionTime(transaction) };
  await transaction.source.update({ where: { id: row.id }, data });
  await audit(transaction, 'system', 'source.updated', row.id, {
    before: row.config as Prisma.InputJsonValue,
    after: jsonOf(plain),
  });
}

/** @returns whether it was there: another may have deleted it since it was looked for */
async function markDeleted(transaction: Transaction, id: string, actor: string): Promise<boolean> {
  const now = await transactionTime(transaction);
  // A deleted source does not need its secrets any more.
  const data = { deletedAt: now, updatedAt: now, secretsSealed: null };
  const { count } = await transaction.source.updateMany({ where: { id, deletedAt: null }, data });
  if (count > 0) await audit(transaction, actor, 'source.deleted', id, {});
  return count > 0;
}

function contentOf(vault: Vault, id: string, { plain, secrets }: SourceDescription) {
  const hasSecrets = Object.keys(secrets).length > 0;
  const secretsSealed = hasSecrets ? vault.seal(JSON.stringify(secrets), sealedPlace.sourceSecrets(id)) : null;
  return { config: jsonOf(plain), secretsSealed };
}

function openSecrets(vault: Vault, { id, secretsSealed }: Row): Readonly<Record<string, string>> {
  if (secretsSealed === null) return {};
  return JSON.parse(vault.open(secretsSealed, sealedPlace.sourceSecrets(id))) as Record<string, string>;
}

function audit(
  transaction: Transaction,
  actor: string,
  action: AuditAction,
  object: string,
  change: { before?: Prisma.InputJsonValue; after?: Prisma.InputJsonValue },
): Promise<void> {
  return appendAudit(transaction, { tenantNum: null, actor, action, object, ...change });
}

function jsonOf(tree: Readonly<Record<string, unknown>>): Prisma.InputJsonObject {
  return JSON.parse(JSON.stringify(tree)) as Prisma.InputJsonObject;
}

/** Postgres gives the members of an object in an order of its own. */
function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
