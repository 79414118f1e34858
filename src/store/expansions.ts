import type pg from 'pg';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';

/** Endpoints of a row `x` of `expansions` whose deliveries are not written yet. */
export const UNEXPANDED = 'x.endpoints[x.next + 1:]';

/** Some of an event's deliveries that a worker is to write now. */
export interface ExpansionChunk {
  readonly eventUuid: string;
  readonly endpointNums: readonly number[];
  /** How many of its endpoints are behind it then. */
  readonly next: number;
}

// A loose index scan: one probe per tenant, however many events it has.
const TENANTS = `
  WITH RECURSIVE found AS (
    SELECT min(tenant_num) AS num FROM expansions
    UNION ALL
    SELECT (SELECT min(tenant_num) FROM expansions WHERE tenant_num > f.num) FROM found f WHERE f.num IS NOT NULL
  )
  SELECT num FROM found WHERE num IS NOT NULL`;

/** Numbers of the tenants that have events to expand. */
export async function expandingTenants(pool: pg.Pool): Promise<readonly number[]> {
  const { rows } = await pool.query<{ num: number }>({ name: 'expanding-tenants', text: TENANTS });
  return rows.map(({ num }) => num);
}

/** Events that one chunk may be of: those of large batches have few deliveries each. */
const MAX_EVENTS = 32;

// The lists are cut to what is asked for before they are read: a materialized list is still where it was, out of line.
const HOLD = `
  WITH held AS MATERIALIZED (
    SELECT event_id, endpoints, next, size FROM expansions WHERE tenant_num = $1 ORDER BY event_id LIMIT ${MAX_EVENTS} FOR UPDATE SKIP LOCKED
  ),
  placed AS (
    SELECT *, sum(least(size - next, $2)) OVER (ORDER BY event_id) - least(size - next, $2) AS taken FROM held
  )
  SELECT event_id, endpoints[next + 1:next + ($2 - taken)::int] AS nums, next FROM placed WHERE taken < $2 ORDER BY event_id`;

/**
 * Takes the tenant's next deliveries for this transaction, oldest event first: at most `size`. What another worker holds is passed over.
 */
export async function holdExpansions(
  client: Queryable,
  tenantNum: number,
  size: number,
): Promise<readonly ExpansionChunk[]> {
  const { rows } = await client.query<{ event_id: string; nums: number[]; next: number }>({
    name: 'hold-expansions',
    text: HOLD,
    values: [tenantNum, size],
  });
  return rows.map(({ event_id, nums, next }) => ({
    eventUuid: event_id,
    endpointNums: nums,
    next: next + nums.length,
  }));
}

// Each delivery is written once because the row that names it moves on in the same statement.
const EXPAND = `
  WITH moved AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::int[]) AS m(event_id, next)),
  advanced AS (
    UPDATE expansions x SET next = m.next FROM moved m WHERE x.event_id = m.event_id AND m.next < x.size
  ),
  finished AS (
    DELETE FROM expansions x USING moved m WHERE x.event_id = m.event_id AND m.next >= x.size
  )
  INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
  SELECT d.event_id, date_trunc('milliseconds', now()), d.endpoint_num, $1, d.lane
    FROM unnest($4::uuid[], $5::int[], $6::smallint[]) AS d(event_id, endpoint_num, lane)
  ON CONFLICT (endpoint_num, event_id) DO NOTHING`;

/** Writes deliveries that this transaction holds into the mailbox, due now. */
export async function expand(
  client: Queryable,
  tenantNum: number,
  chunks: readonly ExpansionChunk[],
  laneOf: (endpointNum: number) => number,
): Promise<void> {
  const nums = chunks.flatMap(({ endpointNums }) => endpointNums);
  await client.query({
    name: 'expand',
    text: EXPAND,
    values: [
      tenantNum,
      plainArray(chunks.map(({ eventUuid }) => eventUuid)),
      plainArray(chunks.map(({ next }) => next)),
      plainArray(chunks.flatMap(({ eventUuid, endpointNums }) => endpointNums.map(() => eventUuid))),
      plainArray(nums),
      plainArray(nums.map(laneOf)),
    ],
  });
}
