/** What a pool decides itself. pg takes a parameter of the URL rather than what it is given beside it. */
const DECIDED = [
  'application_name',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
];

/**
 * The settings that all our statements rely on, and all who read their results. A server, a database or a role may have another default for
 * each: clients could not read the dates, transactions would fail where they should wait, idle sessions would be ended, or tables of
 * another schema would be found.
 */
const COMMON = Object.entries({
  // What Prisma names. By default a schema named like the role comes first.
  search_path: 'public',
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read\\ committed',
  plan_cache_mode: 'auto',
  idle_session_timeout: '0',
})
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

export interface PostgresAddress {
  /** The URL without `options` and without what a pool decides. */
  readonly connectionString: string;
  /**
   * Startup parameters for each session (libpq, `options`): first those of the URL, then those that all sessions have, then the given ones,
   * because of two parameters that set the same Postgres takes the later.
   */
  readonly options: string;
}

/**
 * What to give pg so that each session has the settings that are given, whatever `DATABASE_URL` says beside where Postgres is.
 * @param databaseUrl `postgres://…`
 * @param settings beyond what all sessions have, such as `-c synchronous_commit=on`
 */
export function addressOf(databaseUrl: string, settings = ''): PostgresAddress {
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options') ?? '';
  const named = [...DECIDED, 'options'].filter((name) => url.searchParams.has(name));
  for (const name of named) url.searchParams.delete(name);
  // As it was written, where there is nothing to take out of it.
  const connectionString = named.length === 0 ? databaseUrl : url.href;
  return { connectionString, options: `${given} ${COMMON} ${settings}`.trim() };
}

/**
 * Whether user or password have a `/`, `?` or `#` that was not percent-encoded, and end there: then what should be their end, up to the `@`,
 * stands where no URL that means what it says has an `@`. With a user a database may be called so.
 */
export function endsLoginEarly(databaseUrl: string): boolean {
  const parts = /^[^:]*:\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(databaseUrl);
  if (parts === null) return false;
  const [, authority = '', path = '', query = '', fragment = ''] = parts;
  // A password may have had an `@` before its `/`. Without a host, or with a user in the query, the path is the database's name alone.
  const mayBeInPath = authority.includes('@') || (authority !== '' && !/[?&]user=/.test(query));
  const inPath = URL.canParse(databaseUrl) ? /@.*[/:]/s : /@/;
  return (mayBeInPath && inPath.test(path)) || /(?:^\?|&)[^=&]*@/.test(query) || fragment.includes('@');
}
