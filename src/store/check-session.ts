import type pg from 'pg';

/** Thrown when sessions do not commit as they were told to; `message` says what to do. */
export class UnsafeCommitError extends Error {
  constructor(found: string) {
    super(
      `Sessions on Postgres have synchronous_commit=${found} although Posthorn asks for "on": an answer of 2xx would not be durable. A pooler on the way keeps the startup parameter "options" back (PgBouncer: ignore_startup_parameters). Set it for the role that Posthorn logs in as (ALTER ROLE … SET synchronous_commit = on), or let Posthorn connect to Postgres itself.`,
    );
    this.name = 'UnsafeCommitError';
  }
}

/**
 * Checks the setting on which G1 rests: each session is given it at its start, and a pooler may keep it back.
 * @throws UnsafeCommitError
 */
export async function checkSession(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ level: string; is_alone: boolean }>(
    `SELECT current_setting('synchronous_commit') AS level, current_setting('synchronous_standby_names') = '' AS is_alone`,
  );
  const { level, is_alone: isAlone } = rows[0]!;
  // All levels but "off" wait for the disk of this server. Otherwise they differ only in how they wait for standbys.
  const isSafe = isAlone ? level !== 'off' : level === 'on' || level === 'remote_apply';
  if (!isSafe) throw new UnsafeCommitError(level);
}
