import type { Queryable } from './in-transaction.ts';

/** Notes that an event is one to try an endpoint with, before it is stored: no replay brings it to another. */
export async function noteTestEvent(db: Queryable, uuid: string): Promise<void> {
  await db.query('INSERT INTO test_events (event_id) VALUES ($1)', [uuid]);
}

/** Forgets those older than this UUID: their days are dropped. */
export async function forgetTestEvents(db: Queryable, beforeUuid: string): Promise<void> {
  await db.query('DELETE FROM test_events WHERE event_id < $1', [beforeUuid]);
}
