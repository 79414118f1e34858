import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import type { Scope } from '../domain/caller.ts';
import { plainArray } from './plain-array.ts';

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

interface Row {
  id: string;
  hash: Buffer;
  prefix: string;
  tenant_num: number;
  tenant_id: string;
  scopes: Scope[];
  expires_at: Date | null;
}

/** Whether a text may be a key at all: another is not worth a look. */
export function mayBeKey(text: string): boolean {
  return FORMAT.test(text);
}

/** Owners and rights by key; what is unknown, revoked or expired, or whose tenant is gone, is absent. One statement, however many are asked for. */
export async function findKeys(
  pool: pg.Pool,
  keys: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, KnownKey>> {
  const byPrefix = new Map<string, string[]>();
  for (const key of keys) {
    const prefix = FORMAT.exec(key)?.[1];
    if (prefix === undefined) continue;
    const same = byPrefix.get(prefix);
    if (same === undefined) byPrefix.set(prefix, [key]);
    else same.push(key);
  }
  const { rows } = await pool.query<Row>({
    name: 'find-keys',
    text: `SELECT k.id, k.hash, k.prefix, k.tenant_num, t.id AS tenant_id, k.scopes, k.expires_at
             FROM api_keys k JOIN tenants t ON t.num = k.tenant_num
            WHERE k.prefix = ANY($1::text[]) AND k.revoked_at IS NULL AND t.deleted_at IS NULL`,
    // Of letters and digits alone.
    values: [plainArray([...byPrefix.keys()])],
  });
  const found = new Map<string, KnownKey>();
  for (const row of rows) {
    if (row.expires_at !== null && row.expires_at.getTime() <= nowMs) continue;
    for (const key of byPrefix.get(row.prefix) ?? [])
      if (timingSafeEqual(row.hash, hashKey(key))) found.set(key, toKey(row));
  }
  return found;
}

function toKey({ id, tenant_num, tenant_id, scopes, expires_at }: Row): KnownKey {
  return { id, tenantNum: tenant_num, tenantId: tenant_id, scopes, expiresAtMs: expires_at?.getTime() ?? null };
}
