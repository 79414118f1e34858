import type pg from 'pg';
import type { LimitSettings } from '../domain/ingest-limits.ts';
import { plainArray } from './plain-array.ts';

/** Of a process that has said nothing for so long nothing is known, in seconds. */
const FRESH_S = 5;

export interface TenantDemand {
  readonly limits: LimitSettings | null;
  /** Other processes that its traffic comes to; how many of them have not measured it yet; events a second that the rest were asked for. */
  readonly others: number;
  readonly unmeasured: number;
  readonly othersDemand: number;
}

interface Row {
  num: number;
  limits: LimitSettings | null;
  n: number;
  unmeasured: number;
  demand: number;
}

// Rows of processes that are gone are swept by whoever writes.
const EXCHANGE = `
  WITH given AS MATERIALIZED (SELECT * FROM unnest($2::int[], $3::float8[]) AS g(num, demand)),
  swept AS (
    DELETE FROM ingest_demand WHERE seen_at < now() - interval '1 minute' AND process <> $1 AND EXISTS (SELECT 1 FROM given WHERE demand IS NOT NULL)
  ),
  told AS (
    INSERT INTO ingest_demand (tenant_num, process, demand, seen_at) SELECT num, $1, demand, now() FROM given WHERE demand IS NOT NULL ORDER BY num
    ON CONFLICT (tenant_num, process) DO UPDATE SET demand = EXCLUDED.demand, seen_at = EXCLUDED.seen_at
  )
  SELECT t.num, t.limits, others.n, others.unmeasured, others.demand
    FROM given g
    JOIN tenants t ON t.num = g.num
   CROSS JOIN LATERAL (
     SELECT count(*)::int AS n, count(*) FILTER (WHERE d.demand = 0)::int AS unmeasured, coalesce(sum(d.demand), 0) AS demand FROM ingest_demand d
      WHERE d.tenant_num = g.num AND d.process <> $1 AND d.seen_at > now() - interval '${FRESH_S} seconds'
   ) others`;

/**
 * Says what this process is asked for, by tenant (0: not measured yet, null: nothing to say), and hears their limits and what other
 * processes are asked for.
 */
export async function exchangeDemand(
  pool: pg.Pool,
  process: string,
  demands: ReadonlyMap<number, number | null>,
): Promise<Map<number, TenantDemand>> {
  const { rows } = await pool.query<Row>({
    name: 'exchange-demand',
    text: EXCHANGE,
    values: [
      process,
      plainArray([...demands.keys()]),
      plainArray([...demands.values()].map((demand) => demand ?? 'NULL')),
    ],
  });
  return new Map(
    rows.map(({ num, limits, n, unmeasured, demand }) => [
      num,
      { limits, others: n, unmeasured, othersDemand: demand },
    ]),
  );
}

/** Takes a process off the list: the others share its part without waiting for it to be missed. */
export async function forgetDemand(pool: pg.Pool, process: string): Promise<void> {
  await pool.query('DELETE FROM ingest_demand WHERE process = $1', [process]);
}

// Through the mailbox's primary key, which begins with the endpoint: a count of its own needs no index of its own. What is still to be
// expanded waits too.
const COUNT = `
  SELECT t.num, least(t.cap, (
    SELECT count(*)::int FROM (
      SELECT 1 FROM endpoints e
       CROSS JOIN LATERAL (SELECT 1 FROM mailbox m WHERE m.endpoint_num = e.num LIMIT t.cap) m
       WHERE e.tenant_num = t.num AND e.deleted_at IS NULL LIMIT t.cap
    ) w
  ) + (SELECT coalesce(sum(x.size - x.next), 0) FROM expansions x WHERE x.tenant_num = t.num))::int AS n FROM unnest($1::int[], $2::int[]) AS t(num, cap)`;

/** Deliveries that wait for each tenant's endpoints, counted no further than its cap. */
export async function countWaitingOf(pool: pg.Pool, caps: ReadonlyMap<number, number>): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ num: number; n: number }>({
    name: 'count-waiting',
    text: COUNT,
    values: [plainArray([...caps.keys()]), plainArray([...caps.values()])],
  });
  return new Map(rows.map(({ num, n }) => [num, n]));
}
