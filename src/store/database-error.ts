import { knownPlace } from './postgres-host.ts';

/** Postgres cannot be used as DATABASE_URL says; `message` says where, why, and what to do. */
export class DatabaseError extends Error {
  constructor(databaseUrl: string, cause: { readonly message: string; readonly code: string }, hint: string) {
    const said = cause.message === '' ? cause.code : cause.message;
    const place = knownPlace(databaseUrl);
    const which = place === null ? 'of DATABASE_URL' : `at ${place} (DATABASE_URL)`;
    super(`Cannot use the Postgres ${which}: ${said}. ${hint}`, { cause });
    this.name = 'DatabaseError';
  }
}

const UNREACHED = 'Start it, or mend host and port in DATABASE_URL.';
const UNKNOWN_HOST = 'Mend the host in DATABASE_URL, or the name server of this machine.';
const TOO_SLOW =
  'See what keeps it, or this machine, so busy, or whether host and port in DATABASE_URL are right; then start again.';
const UNTRUSTED =
  'Name the authority that signed its certificate: sslmode=verify-full&sslrootcert=/path/to/ca.pem in DATABASE_URL.';
const REFUSED_LOGIN = 'Mend user and password in DATABASE_URL.';

const MAY_CREATE = 'Give its user what is missing: GRANT CREATE ON SCHEMA public TO that user.';
const MAY_USE = 'Give its user what is missing: GRANT CONNECT, CREATE ON DATABASE that database TO that user.';
const OWNS =
  "Posthorn's tables belong to another user (psql: \\dt): start it as that one, or give them to its user, by ALTER TABLE … OWNER TO for each, or REASSIGN OWNED BY the one TO the other.";
const TOO_OLD =
  'Posthorn needs Postgres 14 or later. Bring the database to a later server (pg_upgrade, or pg_dump and pg_restore). Nothing was changed.';

/** By errors of Node's sockets and TLS, and SQLSTATEs (Postgres, appendix A). */
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: UNREACHED,
  EHOSTUNREACH: UNREACHED,
  ENETUNREACH: UNREACHED,
  ETIMEDOUT: UNREACHED,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_HAS_EXPIRED: 'Give it a new certificate.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Use the name in DATABASE_URL that its certificate is for.',
  '25006': 'It takes no writes, as a standby does: lead DATABASE_URL to the primary, or wait until it is promoted.',
  '28000': REFUSED_LOGIN,
  '28P01': REFUSED_LOGIN,
  '3D000': 'Create that database, or mend its name in DATABASE_URL.',
  '42501': `${MAY_CREATE} ${MAY_USE} ${OWNS}`,
};

/** The messages, without a code, by which the client and its pool say that no connection came in time. */
const TIMED_OUT =
  /^(?:timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/;

/**
 * How Postgres says that a user may not create something, use a database or create a schema in it, or change what is not theirs. In other
 * languages only the code says so.
 */
const CREATION_DENIED = /permission denied for schema/;
const DATABASE_DENIED = /permission denied for database/;
const NOT_OWNER = /must be owner of|permission denied for/;

/** Settings that Posthorn gives each session, and that Postgres 13, or 11, does not know. */
const PARAMETER_UNKNOWN = /"(?:idle_session_timeout|plan_cache_mode)"/;

/** How PgBouncer refuses a setting that Posthorn gives each session. */
const PARAMETER_REFUSED = /^unsupported startup parameter/;
const POOLER =
  'That is what a pooler says, such as PgBouncer. Have it pass over what it does not know: ignore_startup_parameters = options, statement_timeout, lock_timeout, idle_in_transaction_session_timeout (docs/operations.md, "Between Posthorn and Postgres"); or let Posthorn connect to Postgres itself.';

/** @returns an error that says where it happened and what to do; the given one where that is not known */
export function explainDatabase(databaseUrl: string, error: unknown): unknown {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  const hint = hintFor(code, message);
  return hint === undefined ? error : new DatabaseError(databaseUrl, { code, message }, hint);
}

function hintFor(code: string, message: string): string | undefined {
  if (TIMED_OUT.test(message)) return TOO_SLOW;
  if (PARAMETER_REFUSED.test(message)) return POOLER;
  if (code === '42704' && PARAMETER_UNKNOWN.test(message)) return TOO_OLD;
  if (code === '42501' && CREATION_DENIED.test(message)) return MAY_CREATE;
  if (code === '42501' && DATABASE_DENIED.test(message)) return MAY_USE;
  if (code === '42501' && NOT_OWNER.test(message)) return OWNS;
  return HINTS[code];
}
