import type { Queryable } from './in-transaction.ts';

/**
 * A condition of a join that finds the row of a delivery by a probe of the mailbox's primary key, one for each row that is given, whatever Postgres takes the size
 * of the mailbox to be. It is empty at one moment and full at the next, and the plan of a named statement is kept: where hardly anything waited when Postgres last
 * counted it, the planner takes it for one row, goes through all of it, and tries each row that it meets with each that is given. An equality of both columns allows
 * that through the index, in the order of a merge. The endpoint as `= ANY (ARRAY[…])` is looked up in an index as well, and allows it not. What would remain is to go
 * through the table itself (so sessions that make probes have that switched off: `PoolOptions.probes`, `probeOnly`), through an index in the order that the statement
 * asks for (so it asks for the order of what is given), through one on another column of the join (so it has none), or through a partial index of which it repeats the
 * condition (so that is an `asFilter`).
 * @param row the alias of the mailbox, or of another table with this key
 * @param given the alias of what has `endpoint_num` and `event_id`
 */
export const isDeliveryOf = (row: string, given: string): string =>
  `${row}.endpoint_num = ANY (ARRAY[${given}.endpoint_num]) AND ${row}.event_id = ${given}.event_id`;

/** A condition on rows of the mailbox that have been found, in a form in which the planner does not take it for that of a partial index, all of which it might go through. */
export const asFilter = (condition: string): string => `CASE WHEN ${condition} THEN 1 END = 1`;

/** For the rest of the transaction, what `PoolOptions.probes` does for the sessions of a pool. */
export async function probeOnly(transaction: Queryable): Promise<void> {
  await transaction.query('SET LOCAL enable_seqscan = off');
}
