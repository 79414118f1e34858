/** What a pool decides itself. pg takes a parameter of the URL rather than what it is given beside it. */
const DECIDED = [
  'application_name',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
];

/**
 * What every statement of ours, and whoever reads its results, relies on. Each may be another by default on a given server, in a database or for a role: dates that
 * clients cannot read, transactions that fail where they should wait, sessions that end because they are idle, tables of another schema.
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
  /** Startup parameters for each session (libpq, `options`): those of the URL, those that all have, and then those that are given, because of two that set the same the later one holds. */
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
