import type pg from 'pg';

/** The partition of attempts that a day has. */
export const dayOf = (ms: number): string => `attempts_p${new Date(ms).toISOString().slice(0, 10).replaceAll('-', '')}`;

/** Partitions of attempts that the connection's transaction has locked to write. */
export async function writtenDays(client: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT c.relname AS name FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
      WHERE l.pid = pg_backend_pid() AND l.mode = 'RowExclusiveLock' AND c.relname ~ '^attempts_p\\d{8}$' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}
