import type pg from 'pg';
import { uuidTime } from '../domain/ids.ts';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { EXPIRED } from './dead-letter-reason.ts';
import { byKey } from './delivery-keys.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { dropUnusedEvents } from './kept-dead-letters.ts';
import { partitionName, startOfDay } from './partitions.ts';
import { plainArray } from './plain-array.ts';
import type { SettledAttempt } from './settle.ts';

const GIVEN = 'unnest($1::int[], $2::uuid[], $3::smallint[]) AS g(endpoint_num, event_id, attempt)';

/** Whether the receiver's taking of an attempt overrules a dead letter of the delivery: it is older, or expired while the request was under way. */
const isOvertaken = (letter: string) =>
  `${letter}.event_id = g.event_id AND ${letter}.endpoint_num = g.endpoint_num
     AND (${letter}.attempt < g.attempt OR ${letter}.outcome = ${OUTCOME_CODES.skipped} AND ${letter}.detail = '${EXPIRED}')`;

const FORGET = `DELETE FROM kept_dead_letters d USING ${GIVEN} WHERE ${isOvertaken('d')} RETURNING d.event_id`;

const strike = (table: string) => `
  UPDATE "${table}" a SET decision = ${DECISION.late} FROM ${GIVEN} WHERE ${isOvertaken('a')} AND a.decision = ${DECISION.deadLetter}`;

/**
 * Forgets dead letters that these attempts delivered, if their day was dropped, or is being dropped, meanwhile. First it strikes them from
 * days that are still to be copied, then it deletes their copies. In this order none is missed: copying locks the rows that it copies, so
 * that the first step waits for it.
 * @param attempts those that were not delivered are ignored
 */
export async function forgetDelivered(pool: pg.Pool, attempts: readonly SettledAttempt[]): Promise<void> {
  const delivered = attempts.filter(({ decision }) => decision.kind === 'done').sort(byKey);
  if (delivered.length === 0) return;
  for (const { day, rows } of await ofDetachedDays(pool, delivered)) await strikeIn(pool, day, rows);
  const { rows } = await pool.query<{ event_id: string }>(FORGET, valuesOf(delivered));
  if (rows.length === 0) return;
  const events = plainArray(rows.map((row) => row.event_id));
  await inTransaction(pool, (client) => dropUnusedEvents(client, events));
}

interface OfDay {
  /** The table of its attempts. */
  readonly day: string;
  readonly rows: readonly SettledAttempt[];
}

/** Attempts of days that are detached, or about to be, and not dropped yet. Other days are still in the log, or gone altogether. */
async function ofDetachedDays(db: Queryable, attempts: readonly SettledAttempt[]): Promise<readonly OfDay[]> {
  const byDay = Map.groupBy(attempts, ({ eventUuid }) => partitionName('attempts', startOfDay(uuidTime(eventUuid))));
  const days = [...byDay].map(([day, rows]) => ({ day, rows }));
  const { rows: found } = await db.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name JOIN pg_class c ON c.oid = to_regclass(name) LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
      WHERE i.inhrelid IS NULL OR i.inhdetachpending`,
    [plainArray(days.map(({ day }) => day))],
  );
  const detached = new Set(found.map(({ name }) => name));
  return days.filter(({ day }) => detached.has(day));
}

async function strikeIn(pool: pg.Pool, table: string, attempts: readonly SettledAttempt[]): Promise<void> {
  try {
    // Copying locks rows in another order. A transaction that ends in a deadlock is run again.
    await inTransaction(pool, (client) => client.query(strike(table), valuesOf(attempts)));
  } catch (error) {
    // The day was dropped meanwhile, so all of its dead letters are copied.
    if ((error as { code?: string }).code !== UNDEFINED_TABLE) throw error;
  }
}

const UNDEFINED_TABLE = '42P01';

function valuesOf(attempts: readonly SettledAttempt[]): unknown[] {
  return [
    plainArray(attempts.map(({ endpointNum }) => endpointNum)),
    plainArray(attempts.map(({ eventUuid }) => eventUuid)),
    plainArray(attempts.map(({ attempt }) => attempt)),
  ];
}
