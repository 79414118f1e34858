import type pg from 'pg';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';
import { asFilter, isDeliveryOf, probeOnly } from './probe.ts';

/** The key by which an endpoint's deliveries are kept in order: see `src/routing/order-key.ts`. */
export interface OrderKey {
  readonly endpointNum: number;
  readonly key: number;
}

/** Rows of a key that are promoted together when the first may go, so that those behind it need not be promoted one by one. */
export const PROMOTED_AT_ONCE = 16;

/** The most keys that one statement promotes: it must end within its time limit, and the sender of a row that it locks waits for it. */
const KEYS_AT_ONCE = 1_000;

/** Before the first key: keys are 32 bits wide. */
const BEFORE_ALL = -(2 ** 31) - 1;

// The first row of a key decides. If it waits for its retry, is about to be sent, or was set aside (src/store/suspects.ts), the rows behind
// it stay where they are.
// Rows are locked in the order of all statements that wait for several (endpoint, then event), so that no two wait for each other. Rows that
// another statement has locked are waited for, unlike in src/store/park.ts: if they were skipped, nobody would promote them later.
// `stuck` is computed before the update: in one join, Postgres would try each row of the endpoint with each key.
const PROMOTE = `
  WITH wanted AS (SELECT * FROM unnest($1::int[], $2::int[]) AS w(endpoint_num, order_key)),
  stuck AS MATERIALIZED (
    SELECT k.endpoint_num, f.event_id
      FROM wanted k
     CROSS JOIN LATERAL (
       SELECT event_id, is_behind, first_value(is_behind) OVER (ORDER BY seq) AS is_stuck
         FROM (SELECT b.event_id, b.seq, b.parked AND b.due_at = 'infinity' AND NOT EXISTS (
                        SELECT FROM poisoned_deliveries p WHERE p.event_id = b.event_id AND p.endpoint_num = b.endpoint_num) AS is_behind
                 FROM mailbox b WHERE b.endpoint_num = k.endpoint_num AND b.order_key = k.order_key ORDER BY b.seq LIMIT ${PROMOTED_AT_ONCE}) first_ones
     ) f
     WHERE f.is_stuck AND f.is_behind
       AND NOT EXISTS (SELECT FROM paused_keys p WHERE p.endpoint_num = k.endpoint_num AND p.order_key = k.order_key)
  ),
  locked AS MATERIALIZED (
    SELECT m.endpoint_num, m.event_id FROM stuck s JOIN mailbox m ON ${isDeliveryOf('m', 's')}
     WHERE ${asFilter(`m.parked AND m.due_at = 'infinity'`)} ORDER BY s.endpoint_num, s.event_id FOR UPDATE OF m
  )
  UPDATE mailbox m SET parked = false, due_at = date_trunc('milliseconds', now())
    FROM locked s WHERE ${isDeliveryOf('m', 's')} AND ${asFilter(`m.parked AND m.due_at = 'infinity'`)}`;

/**
 * Promotes rows that wait behind others although nothing is before them any more: makes them due now, and lets the fetch find them. Call it
 * after each statement that removes a row of a key or sets one behind, when that is committed. Of two such statements at once the later
 * call sees what both have done.
 * @returns how many rows it promoted
 */
export async function promote(client: Queryable, keys: readonly OrderKey[]): Promise<number> {
  if (keys.length === 0) return 0;
  const { rowCount } = await client.query({
    name: 'promote',
    text: PROMOTE,
    values: [plainArray(keys.map(({ endpointNum }) => endpointNum)), plainArray(keys.map(({ key }) => key))],
  });
  return rowCount ?? 0;
}

/**
 * Promotes what stood behind these keys, after the transaction that removed what stood before them. A failure is only logged: an awake lane
 * finds stranded rows within a minute.
 */
export type Promote = (keys: readonly OrderKey[]) => Promise<void>;

/** `promote` for the API, whose sessions may scan (see `isDeliveryOf`): some keys at a time, each time in a transaction that only probes. */
export async function promoteAfter(pool: pg.Pool, keys: readonly OrderKey[]): Promise<void> {
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    await inTransaction(pool, async (client) => {
      await probeOnly(client);
      await promote(client, keys.slice(at, at + KEYS_AT_ONCE));
    });
  }
}

// A loose index scan: one probe for each key that has rows behind, however many rows those are, and none for other keys.
const IS_BEHIND = `m.order_key IS NOT NULL AND m.due_at = 'infinity'`;
const KEYS_BEHIND = `
  WITH RECURSIVE keys AS (
    SELECT e.num AS endpoint_num, (SELECT min(m.order_key) FROM mailbox m WHERE m.endpoint_num = e.num AND ${IS_BEHIND} AND m.order_key > e.after) AS order_key
      FROM unnest($1::int[], $2::bigint[]) AS e(num, after)
    UNION ALL
    SELECT k.endpoint_num, (SELECT min(m.order_key) FROM mailbox m WHERE m.endpoint_num = k.endpoint_num AND ${IS_BEHIND} AND m.order_key > k.order_key)
      FROM keys k WHERE k.order_key IS NOT NULL
  )
  SELECT endpoint_num, order_key FROM keys WHERE order_key IS NOT NULL LIMIT ${KEYS_AT_ONCE}`;

/** @param after by endpoint, the key to go on after. @returns the next keys that have rows behind, in ascending order for each endpoint. */
async function keysBehind(pool: pg.Pool, after: ReadonlyMap<number, number>): Promise<readonly OrderKey[]> {
  const { rows } = await pool.query<{ endpoint_num: number; order_key: number }>({
    name: 'keys-behind',
    text: KEYS_BEHIND,
    values: [plainArray([...after.keys()]), plainArray([...after.values()])],
  });
  return rows.map(({ endpoint_num: endpointNum, order_key: key }) => ({ endpointNum, key }));
}

/** `promote` for all keys of these endpoints, some at a time: a process may have died before it promoted what it should have. */
export async function promoteAll(pool: pg.Pool, endpointNums: readonly number[]): Promise<number> {
  if (endpointNums.length === 0) return 0;
  const after = new Map(endpointNums.map((num) => [num, BEFORE_ALL]));
  for (let promoted = 0; ; ) {
    const keys = await keysBehind(pool, after);
    promoted += await promote(pool, keys);
    if (keys.length < KEYS_AT_ONCE) return promoted;
    for (const { endpointNum, key } of keys) after.set(endpointNum, key);
  }
}

/** Rows of a `RETURNING endpoint_num, order_key` as keys, each once. */
export function orderKeysOf(rows: readonly { endpoint_num: number; order_key: number | null }[]): OrderKey[] {
  const keys = new Map<string, OrderKey>();
  for (const { endpoint_num: endpointNum, order_key: key } of rows)
    if (key !== null) keys.set(`${endpointNum}/${key}`, { endpointNum, key });
  return [...keys.values()];
}
