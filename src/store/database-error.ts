/** Postgres cannot be used as DATABASE_URL says; `message` says where, why, and what to do. */
export class DatabaseError extends Error {
  constructor(databaseUrl: string, cause: { readonly message: string; readonly code: string }, hint: string) {
    const said = cause.message === '' ? cause.code : cause.message;
    super(`Cannot use the Postgres at ${placeOf(databaseUrl)} (DATABASE_URL): ${said}. ${hint}`, { cause });
    this.name = 'DatabaseError';
  }
}

const UNREACHED = 'Start it, or mend host and port in DATABASE_URL.';
const UNKNOWN_HOST = 'Mend the host in DATABASE_URL, or the name server of this machine.';
const TOO_SLOW =
  'See what keeps it, or this machine, so busy, or whether host and port in DATABASE_URL are right; then start again.';
const REFUSED_LOGIN = 'Mend user and password in DATABASE_URL.';

/** By socket errors of Node and SQLSTATEs (Postgres, appendix A). */
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: UNREACHED,
  EHOSTUNREACH: UNREACHED,
  ENETUNREACH: UNREACHED,
  ETIMEDOUT: UNREACHED,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  '25006': 'It takes no writes, as a standby does: lead DATABASE_URL to the primary, or wait until it is promoted.',
  '28000': REFUSED_LOGIN,
  '28P01': REFUSED_LOGIN,
  '3D000': 'Create that database, or mend its name in DATABASE_URL.',
  '42501': 'Give its user what is missing: GRANT CREATE ON SCHEMA public TO that user.',
};

/** How the client and its pool say, without a code, that no connection came in time. */
const TIMED_OUT =
  /^(?:timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/;

/** @returns the error with where it happened and what to do; itself where that is not known */
export function explainDatabase(databaseUrl: string, error: unknown): unknown {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  const hint = TIMED_OUT.test(message) ? TOO_SLOW : HINTS[code];
  return hint === undefined ? error : new DatabaseError(databaseUrl, { code, message }, hint);
}

/** Neither the user nor the password. */
function placeOf(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}
