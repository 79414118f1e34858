import { isDeepStrictEqual } from 'node:util';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { type Destination, passwordOf } from '../domain/destination.ts';
import type { SignatureScheme } from '../domain/endpoint.ts';
import { appendAudit, type Change } from './audit.ts';
import {
  auditView,
  columnsOf,
  type Endpoint,
  type EndpointSettings,
  lockEndpoint,
  toEndpoint,
} from './endpoint-rows.ts';
import { replaceSecrets } from './endpoint-secrets.ts';
import { rewriteEndpointState } from './endpoint-states.ts';
import { disabledBy, type EndpointStore, findEndpoint } from './endpoints.ts';
import { isEmpty } from './event-types.ts';
import { appendNotice } from './notices.ts';
import type { Prisma, Transaction } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { bytesOf, haveTooManyBytes } from './subscription-bytes.ts';
import { undoable } from './undoable.ts';
import { validationColumns } from './validation-columns.ts';
import { wakeLaneOf } from './wake-lane.ts';

/** Settings to change; absent ones stay. */
export type EndpointPatch = { readonly [Name in keyof EndpointSettings]?: EndpointSettings[Name] };

export interface UpdateOptions {
  /** Where events go from now on, given what was; undefined: that stays. May refuse, and then nothing is changed. */
  readonly destination: (before: Endpoint) => Destination | undefined;
  readonly newSecret: (scheme: SignatureScheme) => string;
  /** What an endpoint's gate is to be restored from when the endpoint is enabled. */
  readonly toBeProbed: object;
}

export interface UpdatedEndpoint {
  readonly endpoint: Endpoint;
  /** Whether deliveries that waited may be made now. */
  readonly mayMove: boolean;
}

/** The tenant's subscriptions would be more than they may be: see `MAX_SUBSCRIPTION_BYTES`. Nothing was changed. */
export interface TooMuchText {
  readonly endpoint: null;
}

/**
 * Changes settings. Those that are already as asked count as absent, and if none is left, nothing is written. What cannot be decrypted
 * equals nothing, so that whatever is sent replaces it. Another signature scheme gets a new secret, and the old ones are void at once: they
 * cannot sign in the new scheme.
 * @returns null when the tenant has no endpoint of this id.
 */
export async function updateEndpoint(
  { prisma, vault, clock }: EndpointStore,
  tenant: TenantRef,
  id: string,
  patch: Omit<EndpointPatch, 'destination'>,
  caller: Caller,
  { destination, newSecret, toBeProbed }: UpdateOptions,
): Promise<UpdatedEndpoint | TooMuchText | null> {
  const changesIn = (before: Endpoint) => changesOf(before, { ...patch, destination: destination(before) });
  const seen = await findEndpoint({ prisma, vault }, tenant, id);
  if (seen === null) return null;
  if (isEmpty(changesIn(seen))) return { endpoint: seen, mayMove: false };
  const updated = await undoable<UpdatedEndpoint | TooMuchText | null>(prisma, async (transaction, undo) => {
    if (changesRouting(patch) && !(await changeRouting(transaction, tenant.num))) return undo(null);
    const row = await lockEndpoint(transaction, tenant.num, id);
    if (row === null) return undo(null);
    const before = toEndpoint(row, vault);
    const changes = changesIn(before);
    if (isEmpty(changes)) return undo({ endpoint: before, mayMove: false });
    const data = {
      ...columnsOf(changes, id, vault),
      ...reasonOf(changes, caller),
      ...validationOf(before, changes),
      version: { increment: 1 },
    };
    const bytesBefore = changes.subscriptions === undefined ? null : await bytesOf(transaction, row.num);
    const written = await transaction.endpoint.update({
      where: { num: row.num },
      data: { ...data, updatedAt: new Date(clock.nowMs()) },
    });
    // A tenant that has too much already, from before there was a bound, may still have less.
    const isMore = bytesBefore !== null && written.subscriptionBytes > bytesBefore;
    if (isMore && (await haveTooManyBytes(transaction, tenant.num))) return undo({ endpoint: null });
    // What was disabled may still not be well: one probe goes first, and the backlog follows through the ramp. What is held against a URL
    // says nothing of another.
    const gate = changes.enabled === true ? toBeProbed : null;
    if (changes.enabled === true || changes.destination !== undefined)
      await rewriteEndpointState(transaction, row.num, gate);
    if (changes.signature !== undefined)
      await replaceSecrets(transaction, { vault, clock }, row, newSecret(changes.signature));
    await appendAudit(transaction, {
      tenantNum: tenant.num,
      actor: caller.actor,
      object: id,
      ...changeOf(before, changes),
    });
    await noteEnabled(transaction, { tenantNum: tenant.num, endpointNum: row.num }, changes, caller);
    return { endpoint: toEndpoint(written, vault), mayMove: letsMove(changes) };
  });
  if (updated !== null && updated.endpoint !== null && updated.mayMove)
    await wakeLaneOf((text, num) => prisma.$executeRawUnsafe(text, num), updated.endpoint.num);
  return updated;
}

async function noteEnabled(
  transaction: Transaction,
  endpoint: { readonly tenantNum: number; readonly endpointNum: number },
  { enabled }: EndpointPatch,
  caller: Caller,
): Promise<void> {
  if (enabled === undefined) return;
  const kind = enabled ? 'endpoint.enabled' : 'endpoint.disabled';
  await appendNotice(transaction, { kind, ...endpoint, detail: { by: caller.kind } });
}

/** Changes that may end what kept deliveries waiting: secrets and headers that do not open are replaced too. */
function letsMove({ enabled, destination, signature, headers, validation }: EndpointPatch): boolean {
  return (
    enabled === true ||
    validation === 'none' ||
    destination !== undefined ||
    signature !== undefined ||
    headers !== undefined
  );
}

function changesRouting({ subscriptions, enabled, order }: EndpointPatch): boolean {
  return subscriptions !== undefined || enabled !== undefined || order !== undefined;
}

function changesOf(
  before: Endpoint,
  patch: { readonly [Name in keyof EndpointPatch]: EndpointPatch[Name] | undefined },
): EndpointPatch {
  const known = knownOf(before);
  const isChange = ([name, value]: [string, unknown]) =>
    value !== undefined && !isDeepStrictEqual(value, known[name as keyof EndpointSettings]);
  return Object.fromEntries(Object.entries(patch).filter(isChange)) as EndpointPatch;
}

/** The settings as far as they are known. Headers that cannot be decrypted are left out; a password is not in the destination then. */
function knownOf(before: Endpoint): EndpointPatch {
  if (!before.unreadable.includes('headers')) return before;
  const { headers: _, ...known } = before;
  return known;
}

function reasonOf({ enabled }: EndpointPatch, caller: Caller): { disabledReason?: string | null } {
  if (enabled === undefined) return {};
  return { disabledReason: enabled ? null : disabledBy(caller) };
}

/** The columns of validation that change: another receiver has agreed to nothing yet. */
function validationOf(before: Endpoint, { destination, validation }: EndpointPatch) {
  if (validation === undefined && (destination === undefined || before.validation === 'none')) return {};
  return { ...validationColumns(validation ?? before.validation), validationEpoch: { increment: 1 } };
}

/**
 * The audit's line: the settings that changed, before and after. Of headers the names, and which of them got another value; of a password
 * or a URL's query that it did.
 */
function changeOf(before: Endpoint, changes: EndpointPatch): Pick<Change, 'action' | 'before' | 'after'> {
  const names = Object.keys(changes) as (keyof EndpointSettings)[];
  const known = knownOf(before);
  const old = Object.fromEntries(names.map((name) => [name, known[name]])) as EndpointPatch;
  const after: Prisma.InputJsonObject = {
    ...auditView(changes),
    ...(isNewPassword(before, changes) && { password_written: true }),
    ...(isNewQuery(before, changes) && { query_written: true }),
  };
  if (changes.headers === undefined) return { action: 'endpoint.updated', before: auditView(old), after };
  const rewritten = Object.entries(changes.headers).filter(([name, value]) => before.headers[name] !== value);
  const headersWritten = rewritten.map(([name]) => name).sort();
  return { action: 'endpoint.updated', before: auditView(old), after: { ...after, headers_written: headersWritten } };
}

function isNewQuery(before: Endpoint, { destination }: EndpointPatch): boolean {
  if (destination?.type !== 'http') return false;
  const old = before.destination.type === 'http' ? before.destination.url : '';
  return new URL(destination.url).search !== (URL.canParse(old) ? new URL(old).search : '');
}

function isNewPassword(before: Endpoint, { destination }: EndpointPatch): boolean {
  if (destination === undefined || destination.type === 'http') return false;
  const old = before.destination.type === 'http' ? null : passwordOf(before.destination);
  return passwordOf(destination) !== old;
}
