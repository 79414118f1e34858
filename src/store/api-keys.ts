import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Scope } from '../domain/scope.ts';
import type { PrismaClient } from './prisma.ts';

/** `phk_<12 letters to look it up by>_<43 letters that only its owner knows>` */
const FORMAT = /^phk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

export interface FreshKey {
  /** In the clear: shown once, kept nowhere. */
  readonly key: string;
  readonly prefix: string;
  readonly hash: Buffer<ArrayBuffer>;
}

/** Makes a key of 256 random bits. A plain SHA-256 is enough to keep it by: there is nothing to guess. */
export function makeKey(): FreshKey {
  const prefix = [...randomBytes(12)].map((byte) => 'abcdefghijklmnopqrstuvwxyz012345'[byte & 31]).join('');
  const key = `phk_${prefix}_${randomBytes(32).toString('base64url')}`;
  return { key, prefix, hash: hashKey(key) };
}

export function hashKey(key: string): Buffer<ArrayBuffer> {
  return Buffer.from(createHash('sha256').update(key).digest());
}

export interface KnownKey {
  readonly id: string;
  readonly tenantNum: number;
  readonly tenantId: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number | null;
}

/** The key's owner and rights; null when it is unknown, revoked, expired, or its tenant is gone. */
export async function findKey(prisma: PrismaClient, key: string, nowMs: number): Promise<KnownKey | null> {
  const prefix = FORMAT.exec(key)?.[1];
  if (prefix === undefined) return null;
  const row = await prisma.apiKey.findUnique({
    where: { prefix },
    include: { tenant: { select: { id: true, deletedAt: true } } },
  });
  if (row === null || !timingSafeEqual(row.hash, hashKey(key))) return null;
  if (row.revokedAt !== null || row.tenant.deletedAt !== null) return null;
  if (row.expiresAt !== null && row.expiresAt.getTime() <= nowMs) return null;
  const { id, tenantNum } = row;
  return {
    id,
    tenantNum,
    tenantId: row.tenant.id,
    scopes: row.scopes as Scope[],
    expiresAtMs: row.expiresAt?.getTime() ?? null,
  };
}
