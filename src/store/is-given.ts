/**
 * A condition on a row `m` of the mailbox that says nothing that the join with `given` does not. The mailbox is empty at one moment and full
 * at the next: where it was empty when Postgres last counted it, its planner takes it for one row, goes through all of it, and would try each
 * row with each that is given. This leaves it those that are meant, by a hash table of both columns: an event for very many endpoints has as
 * many rows of the same id. `IS TRUE`, because a bare condition would be one more to look for in the index, or a join.
 * @param given what makes the keys: `SELECT unnest($3::uuid[]), unnest($4::int[])`, or `SELECT event_id, endpoint_num FROM …`. The latter only
 * where the rows are locked already.
 */
export const isGiven = (given: string): string => `((m.event_id, m.endpoint_num) IN (${given})) IS TRUE`;
