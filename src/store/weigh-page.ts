import type pg from 'pg';
import { MAX_PAGE_BYTES, withinBytes } from './page-bytes.ts';

/** A list that a tenant has, newest first, with an index of `tenant_num` and `id`. */
export interface WeighedList {
  readonly table: 'audit_log' | 'endpoints' | 'replays';
  readonly idType: 'text' | 'uuid';
  /** An expression of SQL: what a row `x` weighs. */
  readonly bytes: string;
  /** Which rows of the tenant are meant. */
  readonly condition?: string;
}

/** The ids of a page, and the one after which the next page begins; null on the last one. */
export interface WeighedPage {
  readonly ids: readonly string[];
  readonly resume: string | null;
}

// Row by row, so that what is behind the end of the page is neither read nor taken out of where it is stored: to weigh a JSON value is to unpack it.
// Of what is found the last is for the next page, unless the list ends.
const textOf = ({ table, idType, bytes, condition = 'true' }: WeighedList) => {
  const next = (position: string) => `
    SELECT x.id, ${bytes} AS bytes FROM ${table} x WHERE x.tenant_num = $1 AND ${condition} AND ${position} ORDER BY x.id DESC LIMIT 1`;
  return `
    WITH RECURSIVE page AS (
      (SELECT id, bytes, bytes AS weight, 1 AS place FROM (${next(`($2::${idType} IS NULL OR x.id < $2)`)}) first)
      UNION ALL
      SELECT n.id, n.bytes, p.weight + n.bytes, p.place + 1
        FROM page p CROSS JOIN LATERAL (${next('x.id < p.id')}) n
       WHERE (p.weight <= ${MAX_PAGE_BYTES} OR p.place = 1) AND p.place <= $3
    )
    SELECT id, bytes FROM page ORDER BY place`;
};

/** Chooses the rows of a page, without reading them: at most `limit`, and so many as it may weigh. */
export async function weighPage(
  pool: pg.Pool,
  list: WeighedList,
  tenantNum: number,
  after: string | undefined,
  limit: number,
): Promise<WeighedPage> {
  const { rows } = await pool.query<{ id: string; bytes: number }>(textOf(list), [tenantNum, after ?? null, limit]);
  const ids = withinBytes(rows.slice(0, limit)).map(({ id }) => id);
  return { ids, resume: ids.length < rows.length ? ids.at(-1)! : null };
}
