import { resolve } from 'node:path';
import type { Config } from './config/config.ts';
import { EmbeddedPostgresError } from './embedded/embedded-error.ts';
import { DatabaseError, explainDatabase } from './store/database-error.ts';

/** For the `catch` of what asks Postgres at the start: throws what says which Postgres it is, where the error is about reaching it. */
export function explainTo(config: Config): (error: unknown) => never {
  return (error) => {
    throw explain(config, error);
  };
}

/** Of the embedded one the operator knows the folder, not the address. */
function explain({ DATABASE_URL, DATA_DIR }: Config, error: unknown): unknown {
  const explained = explainDatabase(DATABASE_URL ?? 'postgresql://embedded', error);
  if (DATABASE_URL !== undefined || !(explained instanceof DatabaseError)) return explained;
  const { message } = explained.cause as { readonly message: string };
  return new EmbeddedPostgresError(
    'failed',
    `The embedded Postgres (folder: ${resolve(DATA_DIR)}) has started and does not answer: ${message}. See what keeps this machine so busy, and start Posthorn again; ${resolve(DATA_DIR, 'postgres.log')} is its log.`,
    { cause: error },
  );
}
