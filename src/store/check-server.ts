import type { Queryable } from './in-transaction.ts';

/** Thrown when Posthorn cannot work on this Postgres, or on the schema that its sessions use; `message` says what to do. */
export class UnfitServerError extends Error {
  constructor(message: string) {
    super(`${message} Nothing was changed.`);
    this.name = 'UnfitServerError';
  }
}

const OLDEST = 14;

interface Server {
  readonly number: number;
  readonly version: string;
  readonly schema: string | null;
  readonly path: string;
}

/**
 * Checks the version of Postgres, and the schema that sessions use. Plain SQL names no schema, and Prisma names `public`: if sessions used
 * another schema first, each of the two would have tables of its own.
 * @throws UnfitServerError
 */
export async function checkServer(db: Queryable): Promise<void> {
  const { rows } = await db.query<Server>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
            current_schema()::text AS schema, current_setting('search_path') AS path`,
  );
  const { number, version, schema, path } = rows[0]!;
  if (number < OLDEST * 10_000)
    throw new UnfitServerError(
      `Postgres ${version} is too old: Posthorn needs ${OLDEST} or later. Bring the database to a later server (pg_upgrade, or pg_dump and pg_restore).`,
    );
  if (schema === null)
    throw new UnfitServerError(
      'The database has no schema "public" that the user of DATABASE_URL may use, and Posthorn has its tables there. As the owner of the database: CREATE SCHEMA IF NOT EXISTS public; GRANT USAGE, CREATE ON SCHEMA public TO that user.',
    );
  if (schema !== 'public')
    throw new UnfitServerError(
      `Sessions on Postgres come to the schema "${schema}" first (search_path: ${path}), although Posthorn asks for "public", where its tables are. A pooler on the way keeps the startup parameter "options" back (PgBouncer: ignore_startup_parameters). Set it for the role that Posthorn logs in as (ALTER ROLE … SET search_path = public), or let Posthorn connect to Postgres itself.`,
    );
}
