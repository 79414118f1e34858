import type pg from 'pg';

/** Sessions do not commit as they were told to; `message` says what to do. */
export class UnsafeCommitError extends Error {
  constructor(found: string) {
    super(
      `Sessions on Postgres have synchronous_commit=${found} although Posthorn asks for "on": an answer of 2xx would not be durable. A pooler on the way keeps the startup parameter "options" back (PgBouncer: ignore_startup_parameters). Set it for the role that Posthorn logs in as (ALTER ROLE … SET synchronous_commit = on), or let Posthorn connect to Postgres itself.`,
    );
    this.name = 'UnsafeCommitError';
  }
}

/**
 * G1 rests on a setting that each session is given at its start, and that a pooler may keep back.
 * @throws UnsafeCommitError
 */
export async function checkSession(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ level: string; is_alone: boolean }>(
    `SELECT current_setting('synchronous_commit') AS level, current_setting('synchronous_standby_names') = '' AS is_alone`,
  );
  const { level, is_alone: isAlone } = rows[0]!;
  // All but "off" wait for the disk of this server; what they say of standbys matters only where there are some.
  const isSafe = isAlone ? level !== 'off' : level === 'on' || level === 'remote_apply';
  if (!isSafe) throw new UnsafeCommitError(level);
}
