import type pg from 'pg';
import { plainArray } from './plain-array.ts';

/** An event of a tenant by what its id stands for, should Posthorn have made it. */
export interface MadeId {
  readonly tenantNum: number;
  readonly uuid: string;
}

/** @returns which of them are of events that are in the log, or kept for their dead letters, by index */
export async function findMadeIds(pool: pg.Pool, ids: readonly MadeId[]): Promise<ReadonlySet<number>> {
  const { rows } = await pool.query<{ at: number }>(
    // Events that came with an id of their own are known by that: nobody was told of the other.
    `WITH given AS (SELECT * FROM unnest($1::int[], $2::uuid[]) WITH ORDINALITY AS g(tenant_num, id, at))
     SELECT at::int FROM given g
      WHERE EXISTS (SELECT FROM events e WHERE e.id = g.id AND e.tenant_num = g.tenant_num AND e.external_id IS NULL)
     UNION ALL
     SELECT at::int FROM given g
      WHERE EXISTS (SELECT FROM kept_events k WHERE k.id = g.id AND k.tenant_num = g.tenant_num AND k.external_id IS NULL)`,
    [plainArray(ids.map(({ tenantNum }) => tenantNum)), plainArray(ids.map(({ uuid }) => uuid))],
  );
  return new Set(rows.map(({ at }) => at - 1));
}
