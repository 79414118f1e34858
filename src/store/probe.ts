import type { Queryable } from './in-transaction.ts';

/**
 * A join condition that makes Postgres probe the mailbox's primary key for each given delivery, whatever it takes the mailbox's size to be.
 * The mailbox is empty at one moment and full at the next, and named statements keep their plan: one that was made while hardly anything
 * waited would scan all of a large mailbox, and try each row with each given delivery.
 *
 * Other plans are ruled out, each by something else:
 * - a merge join over the primary key: by `= ANY (ARRAY[…])` in place of `=`, which an index can look up but a merge join cannot use;
 * - a sequential scan: by sessions that have it switched off (`PoolOptions.probes`, `probeOnly`);
 * - an index in the order that the statement asks for: the statement orders by columns of the given rows;
 * - an index on another column of the join: the join has no other column;
 * - a partial index whose condition the statement repeats: the statement wraps the condition in `asFilter`.
 * @param row the alias of the mailbox, or of another table with this key
 * @param given the alias of what has `endpoint_num` and `event_id`
 */
export const isDeliveryOf = (row: string, given: string): string =>
  `${row}.endpoint_num = ANY (ARRAY[${given}.endpoint_num]) AND ${row}.event_id = ${given}.event_id`;

/**
 * A condition on rows of the mailbox that the probe has found. In this form the planner does not recognise the condition of a partial index,
 * which it might otherwise scan from end to end.
 */
export const asFilter = (condition: string): string => `CASE WHEN ${condition} THEN 1 END = 1`;

/** Does for the rest of the transaction what `PoolOptions.probes` does for the sessions of a pool. */
export async function probeOnly(transaction: Queryable): Promise<void> {
  await transaction.query('SET LOCAL enable_seqscan = off');
}
