import type pg from 'pg';

/** A pool, or a connection of it that is inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/** Runs `work` in one READ COMMITTED transaction: all of it is kept, or, when it throws, nothing. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
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
