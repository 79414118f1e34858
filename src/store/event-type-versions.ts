import type { Caller, TenantRef } from '../domain/caller.ts';
import type { ValidationMode, VersionState } from '../domain/event-type.ts';
import { appendAudit } from './audit.ts';
import {
  changesOf,
  changeTypes,
  type EventType,
  type EventTypeVersion,
  findEventType,
  holdFor,
  isEmpty,
  MAX_EVENT_TYPES,
  MAX_VERSIONS,
  pick,
  toVersion,
} from './event-types.ts';
import type { PrismaClient, Transaction } from './prisma.ts';
import { transactionTime } from './transaction-time.ts';
import { undoable } from './undoable.ts';

export interface VersionNumbers {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** JSON texts of a version that is to be registered, and whether its type is validated (absent: `warn` for a new type, else as it is). */
export interface NewVersion extends VersionNumbers {
  readonly description: string;
  readonly state: VersionState;
  readonly schema: string;
  readonly example: string | null;
  readonly casts: string | null;
  readonly validation: ValidationMode | undefined;
}

export type Registered =
  | 'created'
  /** The type has other versions by now than those that this one was checked against: check it again. */
  | 'changed'
  | 'tenant_gone'
  | 'too_many_types'
  | 'too_many_versions';

/**
 * Registers a version that is not there yet, and its type where that is new.
 * @param others the versions of its type that it was checked against
 */
export async function registerVersion(
  prisma: PrismaClient,
  tenant: TenantRef,
  type: string,
  version: NewVersion,
  others: readonly VersionNumbers[],
  caller: Caller,
): Promise<Registered> {
  return undoable<Registered>(prisma, async (transaction, undo) => {
    if (!(await changeTypes(transaction, tenant.num))) return undo('tenant_gone');
    const found = await findEventType(transaction, tenant, type);
    // Versions are never taken away, and nothing of them changes that a new version is checked against: so their number tells.
    if ((found?.versions.length ?? 0) !== others.length) return undo('changed');
    const refused = await roomProblem(transaction, tenant, found);
    if (refused !== null) return undo(refused);
    const owner = found ?? (await insertType(transaction, tenant, type, version, caller));
    if (found !== null) await setValidation(transaction, tenant, found, version.validation, caller);
    const { validation: _, ...row } = version;
    await transaction.eventTypeVersion.create({ data: { typeNum: owner.num, ...row } });
    // Schema and casts never change: the version itself shows them.
    const { description, state, example } = row;
    const after = { description, state, example };
    const change = { action: 'event_type_version.created' as const, object: objectOf(type, version), after };
    await appendAudit(transaction, { tenantNum: tenant.num, actor: caller.actor, ...change });
    return 'created';
  });
}

export interface VersionPatch {
  readonly description?: string | undefined;
  readonly state?: VersionState | undefined;
  readonly example?: string | null | undefined;
}

/**
 * Changes what people read of a version, its state, and whether its type is validated.
 * @returns whether the tenant is there
 */
export async function updateVersion(
  prisma: PrismaClient,
  tenant: TenantRef,
  type: EventType,
  seen: EventTypeVersion,
  { validation, ...patch }: VersionPatch & { readonly validation?: ValidationMode | undefined },
  caller: Caller,
): Promise<boolean> {
  if (isEmpty(changesOf(seen, patch)) && isOfMode(type, validation)) return true;
  const { isProse, hold, wanted } = holdFor(
    { ...changesOf(seen, patch), ...(isOfMode(type, validation) ? {} : { validation }) },
    patch,
  );
  const { major, minor, patch: number } = seen;
  const where = { typeNum_major_minor_patch: { typeNum: type.num, major, minor, patch: number } };
  return undoable<boolean>(prisma, async (transaction, undo) => {
    if (!(await hold(transaction, tenant.num))) return undo(false);
    // Read again now that nobody else changes them, so that the audit log has them as they are.
    const owner = (await findEventType(transaction, tenant, type.type))!;
    const before = toVersion(await transaction.eventTypeVersion.findUniqueOrThrow({ where }));
    const changes = changesOf(before, wanted);
    const mode = isProse ? undefined : validation;
    if (isEmpty(changes) && isOfMode(owner, mode)) return undo(true);
    await setValidation(transaction, tenant, owner, mode, caller);
    if (isEmpty(changes)) return true;
    await transaction.eventTypeVersion.update({
      where,
      data: { ...changes, updatedAt: await transactionTime(transaction) },
    });
    const change = { action: 'event_type_version.updated' as const, object: objectOf(type.type, before) };
    const values = { before: pick(before, Object.keys(changes)), after: changes };
    await appendAudit(transaction, { tenantNum: tenant.num, actor: caller.actor, ...change, ...values });
    return true;
  });
}

function isOfMode({ validation }: EventType, wanted: ValidationMode | undefined): boolean {
  return wanted === undefined || wanted === validation;
}

async function insertType(
  transaction: Transaction,
  tenant: TenantRef,
  type: string,
  { description, validation = 'warn' }: NewVersion,
  { actor }: Caller,
): Promise<{ readonly num: number }> {
  const data = { tenantNum: tenant.num, type, description, validation };
  const created = await transaction.eventType.create({ data });
  const change = { action: 'event_type.created' as const, object: type, after: { description, validation } };
  await appendAudit(transaction, { tenantNum: tenant.num, actor, ...change });
  return created;
}

async function setValidation(
  transaction: Transaction,
  tenant: TenantRef,
  owner: EventType,
  validation: ValidationMode | undefined,
  { actor }: Caller,
): Promise<void> {
  const { num, type, validation: before } = owner;
  if (validation === undefined || isOfMode(owner, validation)) return;
  await transaction.eventType.update({
    where: { num },
    data: { validation, updatedAt: await transactionTime(transaction) },
  });
  const change = {
    action: 'event_type.updated' as const,
    object: type,
    before: { validation: before },
    after: { validation },
  };
  await appendAudit(transaction, { tenantNum: tenant.num, actor, ...change });
}

/** Under the lock of `changeTypes`, so that what it finds holds until the commit. */
async function roomProblem(
  transaction: Transaction,
  tenant: TenantRef,
  found: EventType | null,
): Promise<'too_many_types' | 'too_many_versions' | null> {
  if (found !== null) return found.versions.length >= MAX_VERSIONS ? 'too_many_versions' : null;
  const types = await transaction.eventType.count({ where: { tenantNum: tenant.num } });
  return types >= MAX_EVENT_TYPES ? 'too_many_types' : null;
}

/** What the audit log calls a version. */
function objectOf(type: string, { major, minor, patch }: VersionNumbers): string {
  return `${type}@${major}.${minor}${patch === 0 ? '' : `.${patch}`}`;
}
