import pg from 'pg';

/**
 * A pool that bears losing a connection. `end()` of a pool does not wait until its connections are closed, so that one may be told of the end of its database or
 * server, which tests drop right after it; without a listener that error is nobody's and ends the run.
 */
export function openPool(databaseUrl: string, options: Omit<pg.PoolConfig, 'connectionString'>): pg.Pool {
  const pool = new pg.Pool({ ...options, connectionString: databaseUrl });
  pool.on('error', () => {});
  // What breaks in somebody's hands fails his query as well.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
