import type pg from 'pg';
import { CANDIDATES } from './dead-letter-list.ts';
import { LETTERS } from './dead-letter-reads.ts';
import type { DeadLetterReason } from './dead-letter-reason.ts';
import { LAST_UUID } from './time-range.ts';

export interface DeadLetterCounts {
  readonly total: number;
  readonly byReason: Readonly<Partial<Record<DeadLetterReason, number>>>;
  readonly byEndpoint: Readonly<Record<string, number>>;
  /** Whether there may be older ones that were not counted. */
  readonly capped: boolean;
}

/** Entries that one answer looks at, at most: the newest. */
const MAX_LOOKED = 50_000;

const COUNT = `
  WITH looked AS MATERIALIZED (${CANDIDATES}),
  keys AS MATERIALIZED (SELECT DISTINCT event_id, endpoint_num FROM looked WHERE $6::int IS NULL OR endpoint_num = $6)
  SELECT endpoint_id, reason, count(*)::int AS n, (SELECT count(*)::int FROM looked) AS looked
    FROM (${LETTERS}) letters GROUP BY endpoint_id, reason
   UNION ALL SELECT NULL, NULL, 0, count(*)::int FROM looked`;

interface Row {
  endpoint_id: string | null;
  reason: DeadLetterReason | null;
  n: number;
  looked: number;
}

/** Counts the dead letters of a tenant, or of one endpoint, over all that are kept. The work is bounded. */
export async function countDeadLetters(
  pool: pg.Pool,
  tenantNum: number,
  endpointNum: number | null,
): Promise<DeadLetterCounts> {
  const values = [tenantNum, '00000000-0000-0000-0000-000000000000', LAST_UUID, 0, MAX_LOOKED, endpointNum];
  const { rows } = await pool.query<Row>(COUNT, values);
  const byReason: Partial<Record<DeadLetterReason, number>> = {};
  const byEndpoint: Record<string, number> = {};
  let total = 0;
  for (const { endpoint_id, reason, n } of rows) {
    if (endpoint_id === null || reason === null) continue;
    byReason[reason] = (byReason[reason] ?? 0) + n;
    byEndpoint[endpoint_id] = (byEndpoint[endpoint_id] ?? 0) + n;
    total += n;
  }
  return { total, byReason, byEndpoint, capped: rows[0]!.looked >= MAX_LOOKED };
}
