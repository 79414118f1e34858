import type pg from 'pg';
import type { ValidationMode, VersionState } from '../domain/event-type.ts';
import type { VersionNumbers } from './event-type-versions.ts';
import { plainArray } from './plain-array.ts';

/** What ingest checks of a tenant's events: the types that are validated, and their versions without the schemas. */
export interface StoredTypeRules {
  readonly version: bigint;
  readonly types: readonly {
    readonly num: number;
    readonly type: string;
    readonly validation: ValidationMode;
    readonly versions: readonly (VersionNumbers & { readonly state: VersionState })[];
  }[];
}

const TYPES = `
  SELECT json_agg(json_build_object('num', e.num, 'type', e.type, 'validation', e.validation, 'versions', (
           SELECT coalesce(json_agg(json_build_object('major', v.major, 'minor', v.minor, 'patch', v.patch, 'state', v.state)), '[]')
             FROM event_type_versions v WHERE v.type_num = e.num)))
    FROM event_types e WHERE e.tenant_num = t.num AND e.validation <> 'off'`;

interface Row {
  version: string;
  types: StoredTypeRules['types'] | null;
}

const toRules = ({ version, types }: Row): StoredTypeRules => ({ version: BigInt(version), types: types ?? [] });

/** As committed; version 0 for a tenant that never had event types. Null when the tenant is unknown. */
export async function loadTypeRules(pool: pg.Pool, tenantNum: number): Promise<StoredTypeRules | null> {
  const { rows } = await pool.query<Row>({
    name: 'load-type-rules',
    text: `SELECT t.types_version AS version, CASE WHEN t.types_version > 0 THEN (${TYPES}) END AS types FROM tenants t WHERE t.num = $1`,
    values: [tenantNum],
  });
  return rows[0] === undefined ? null : toRules(rows[0]);
}

/** How many versions a tenant may have to be read together with others. One with more is read alone, so that no other waits for it. */
const FEW_VERSIONS = 200;

/**
 * The rules of several tenants in one statement, which is short whoever they are: of a tenant that has many it says only that.
 * @returns by number; absent: unknown
 */
export async function loadLightTypeRules(
  pool: pg.Pool,
  tenantNums: readonly number[],
): Promise<ReadonlyMap<number, StoredTypeRules | 'large'>> {
  const { rows } = await pool.query<Row & { num: number; is_large: boolean }>({
    name: 'load-light-type-rules',
    text: `SELECT t.num, t.types_version AS version, few.is_large, CASE WHEN t.types_version > 0 AND NOT few.is_large THEN (${TYPES}) END AS types
             FROM unnest($1::int[]) AS asked(num)
             JOIN tenants t ON t.num = asked.num
            CROSS JOIN LATERAL (
              SELECT count(*) > ${FEW_VERSIONS} AS is_large
                FROM (SELECT 1 FROM event_types e LEFT JOIN event_type_versions v ON v.type_num = e.num
                       WHERE t.types_version > 0 AND e.tenant_num = t.num ORDER BY e.type LIMIT ${FEW_VERSIONS + 1}) found) few`,
    values: [plainArray([...new Set(tenantNums)])],
  });
  return new Map(rows.map((row) => [row.num, row.is_large ? 'large' : toRules(row)]));
}

/** The versions alone. @returns by number; absent: unknown */
export async function loadTypesVersions(
  pool: pg.Pool,
  tenantNums: readonly number[],
): Promise<ReadonlyMap<number, bigint>> {
  const { rows } = await pool.query<{ num: number; version: string }>({
    name: 'load-types-versions',
    text: 'SELECT num, types_version AS version FROM tenants WHERE num = ANY($1::int[])',
    values: [plainArray([...new Set(tenantNums)])],
  });
  return new Map(rows.map(({ num, version }) => [num, BigInt(version)]));
}

/** The schema of a version, as JSON text. */
export async function loadSchema(
  pool: pg.Pool,
  tenantNum: number,
  typeNum: number,
  { major, minor, patch }: VersionNumbers,
): Promise<string | null> {
  const { rows } = await pool.query<{ schema: string }>({
    name: 'load-schema',
    text: `SELECT v.schema FROM event_type_versions v JOIN event_types e ON e.num = v.type_num
            WHERE e.tenant_num = $1 AND e.num = $2 AND v.major = $3 AND v.minor = $4 AND v.patch = $5`,
    values: [tenantNum, typeNum, major, minor, patch],
  });
  return rows[0]?.schema ?? null;
}
