import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isRetryable } from './lock-errors.ts';

/** A pool, or a connection of it that is inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

const MAX_TRIES = 4;

/**
 * Runs `work` in one READ COMMITTED transaction: all of it is kept or, when it throws, nothing. After a deadlock or a serialization failure
 * it is run again, so that it must do nothing that the transaction does not undo.
 */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryOnce(pool, work);
    } catch (error) {
      if (tries >= MAX_TRIES || !isRetryable(error)) throw error;
      await sleep(tries * 20 * (1 + Math.random()));
    }
  }
}

async function tryOnce<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    broken = false;
    return result;
  } finally {
    // A connection that fails inside a transaction is closed, and the transaction ends with it.
    client.release(broken);
  }
}
