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
  const { rows } = await pool.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
  const found = rows[0]!.synchronous_commit;
  // The latter waits for standbys to have applied it too.
  if (found !== 'on' && found !== 'remote_apply') throw new UnsafeCommitError(found);
}
