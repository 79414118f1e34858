import type pg from 'pg';
import type { VersionNumbers } from './event-type-versions.ts';

export interface StoredCasts {
  /** Of what is said of the tenant's event types. */
  readonly version: bigint;
  readonly versions: readonly (VersionNumbers & { readonly type: string; readonly casts: string | null })[];
}

/** Every version of a tenant's event types, with its casts as JSON text. */
export async function loadCasts(pool: pg.Pool, tenantNum: number): Promise<StoredCasts> {
  const { rows } = await pool.query<{ version: string; versions: StoredCasts['versions'] | null }>({
    name: 'load-casts',
    // One statement, so that the version is that of what is read with it.
    text: `SELECT t.types_version AS version, (
             SELECT json_agg(json_build_object('type', e.type, 'major', v.major, 'minor', v.minor, 'patch', v.patch, 'casts', v.casts))
               FROM event_types e JOIN event_type_versions v ON v.type_num = e.num WHERE e.tenant_num = t.num) AS versions
             FROM tenants t WHERE t.num = $1`,
    values: [tenantNum],
  });
  return { version: BigInt(rows[0]?.version ?? 0), versions: rows[0]?.versions ?? [] };
}
