import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import type { SignatureScheme } from '../domain/endpoint.ts';
import { newId } from '../domain/ids.ts';
import { appendAudit } from './audit.ts';
import { lockEndpoint } from './endpoint-rows.ts';
import type { EndpointStore } from './endpoints.ts';
import type { PrismaClient, Transaction } from './prisma.ts';
import { sealedPlace, unlessUnreadable, type Vault } from './vault.ts';
import { wakeLaneOf } from './wake-lane.ts';

/** Secrets before the current one that sign at once at most: each makes every delivery's signature header longer. */
export const MAX_PREVIOUS_SECRETS = 8;

/** Secrets that are valid now, in the clear: never log them. */
export interface EndpointSecrets {
  readonly current: string;
  /** The last to expire first. */
  readonly previous: readonly { readonly secret: string; readonly expiresAt: Date }[];
}

export interface RotatedSecrets extends EndpointSecrets {
  readonly endpointNum: number;
  /** Whether one was dropped that did not open: deliveries that waited may be made now. */
  readonly mayMove: boolean;
}

interface EndpointKeys {
  readonly num: number;
  readonly id: string;
}

/** Gives an endpoint a secret that signs from now on. */
export async function insertSecret(
  transaction: Transaction,
  { vault, clock }: Pick<EndpointStore, 'vault' | 'clock'>,
  endpoint: EndpointKeys,
  secret: string,
): Promise<void> {
  const id = newId('sec', clock.nowMs());
  const sealed = vault.seal(secret, sealedPlace.endpointSecret(endpoint.id, id));
  await transaction.endpointSecret.create({ data: { id, endpointNum: endpoint.num, sealed } });
}

/** Puts one secret in the place of all others, which are void at once. */
export async function replaceSecrets(
  transaction: Transaction,
  { vault, clock }: Pick<EndpointStore, 'vault' | 'clock'>,
  endpoint: EndpointKeys,
  secret: string,
): Promise<void> {
  await transaction.endpointSecret.deleteMany({ where: { endpointNum: endpoint.num } });
  await insertSecret(transaction, { vault, clock }, endpoint, secret);
}

/** @returns null when the tenant has no endpoint of this id. */
export async function findSecrets(
  { prisma, vault }: Pick<EndpointStore, 'prisma' | 'vault'>,
  tenant: TenantRef,
  endpointId: string,
): Promise<EndpointSecrets | null> {
  const where = { id: endpointId, tenantNum: tenant.num, deletedAt: null };
  const endpoint = await prisma.endpoint.findFirst({ where, select: { num: true, id: true } });
  return endpoint === null ? null : readSecrets(prisma, vault, endpoint);
}

/**
 * Gives an endpoint a new secret. The one before signs beside it for the overlap, and none from before that signs for longer, so
 * that an overlap of 0 leaves nothing behind of secrets that may have leaked. What does not open cannot sign, and would keep deliveries
 * waiting: with an overlap of 0 it is dropped. With another it would have to sign on, and may yet, when the key that it was sealed with is given.
 * @param secretFor makes or checks the secret, for the endpoint's scheme and beside those that are valid; what it throws changes nothing
 * @throws UnsealError where there is to be an overlap with what does not open
 * @returns null when the tenant has no endpoint of this id.
 */
export async function rotateSecret(
  { prisma, vault, clock }: EndpointStore,
  tenant: TenantRef,
  endpointId: string,
  options: {
    readonly overlapSeconds: number;
    readonly secretFor: (scheme: SignatureScheme, valid: readonly string[]) => string;
    readonly actor: string;
  },
): Promise<RotatedSecrets | null> {
  const rotated = await prisma.$transaction(async (transaction) => {
    const endpoint = await lockEndpoint(transaction, tenant.num, endpointId);
    if (endpoint === null) return null;
    if (options.overlapSeconds > 0) await readSecrets(transaction, vault, endpoint);
    const { valid, unreadable } = await sortSecrets(transaction, vault, endpoint);
    const secret = options.secretFor(endpoint.signature as SignatureScheme, valid);
    if (unreadable.length > 0) await transaction.endpointSecret.deleteMany({ where: { id: { in: unreadable } } });
    await expireSecrets(transaction, endpoint.num, options.overlapSeconds);
    await insertSecret(transaction, { vault, clock }, endpoint, secret);
    const data = { version: { increment: 1 }, updatedAt: new Date(clock.nowMs()) };
    await transaction.endpoint.update({ where: { num: endpoint.num }, data });
    const change = {
      action: 'endpoint.secret_rotated' as const,
      object: endpointId,
      after: {
        overlap_seconds: options.overlapSeconds,
        ...(unreadable.length > 0 && { dropped_unreadable: unreadable.length }),
      },
    };
    await appendAudit(transaction, { tenantNum: tenant.num, actor: options.actor, ...change });
    const secrets = await readSecrets(transaction, vault, endpoint);
    return { ...secrets, endpointNum: endpoint.num, mayMove: unreadable.length > 0 };
  });
  if (rotated?.mayMove === true)
    await wakeLaneOf((text, num) => prisma.$executeRawUnsafe(text, num), rotated.endpointNum);
  return rotated;
}

/** Secrets that sign now, in the clear, and the ids of those that should but do not open. */
async function sortSecrets(
  transaction: Transaction,
  vault: Vault,
  endpoint: EndpointKeys,
): Promise<{ readonly valid: readonly string[]; readonly unreadable: string[] }> {
  const opened = (await secretRows(transaction, endpoint)).map((row) => ({
    id: row.id,
    secret: unlessUnreadable(() => openSecret(vault, endpoint, row)),
  }));
  return {
    valid: opened.flatMap(({ secret }) => (secret === null ? [] : [secret])),
    unreadable: opened.flatMap(({ id, secret }) => (secret === null ? [id] : [])),
  };
}

/** Expiry goes by Postgres's clock: it is what the loading of secrets for deliveries compares with. */
async function expireSecrets(transaction: Transaction, endpointNum: number, overlapSeconds: number): Promise<void> {
  await transaction.$executeRaw`
    UPDATE endpoint_secrets SET expires_at = least(expires_at, date_trunc('milliseconds', now()) + make_interval(secs => ${overlapSeconds}::int))
     WHERE endpoint_num = ${endpointNum}`;
  await transaction.$executeRaw`
    DELETE FROM endpoint_secrets WHERE endpoint_num = ${endpointNum} AND expires_at <= now()`;
}

/** Takes secrets whose overlap is over out of the database, where they are sealed. @returns how many there were */
export async function forgetExpiredSecrets(pool: pg.Pool): Promise<number> {
  const { rowCount } = await pool.query('DELETE FROM endpoint_secrets WHERE expires_at <= now()');
  return rowCount ?? 0;
}

interface SecretRow {
  readonly id: string;
  readonly sealed: Uint8Array;
  readonly expires_at: Date | null;
}

/** @throws UnsealError when a secret was sealed with a key that is not at hand. */
async function readSecrets(
  client: PrismaClient | Transaction,
  vault: Vault,
  endpoint: EndpointKeys,
): Promise<EndpointSecrets> {
  const rows = await secretRows(client, endpoint);
  const open = (row: SecretRow) => openSecret(vault, endpoint, row);
  const current = rows.find((row) => row.expires_at === null);
  if (current === undefined) throw new Error(`endpoint ${endpoint.id} has no current secret`);
  const previous = rows.flatMap((row) =>
    row.expires_at === null ? [] : [{ secret: open(row), expiresAt: row.expires_at }],
  );
  return { current: open(current), previous };
}

/** Those that are valid, the current one first. */
function secretRows(client: PrismaClient | Transaction, { num }: EndpointKeys): Promise<SecretRow[]> {
  return client.$queryRaw<SecretRow[]>`
    SELECT id, sealed, expires_at FROM endpoint_secrets
     WHERE endpoint_num = ${num} AND (expires_at IS NULL OR expires_at > now())
     ORDER BY expires_at DESC NULLS FIRST, id DESC`;
}

/** @throws UnsealError */
function openSecret(vault: Vault, endpoint: EndpointKeys, row: SecretRow): string {
  return vault.open(row.sealed, sealedPlace.endpointSecret(endpoint.id, row.id));
}
