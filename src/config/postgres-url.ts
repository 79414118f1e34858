/** What a pool decides itself. pg takes a parameter of the URL rather than what it is given beside it. */
const DECIDED = [
  'application_name',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
];

export interface PostgresAddress {
  /** The URL without `options` and without what a pool decides. */
  readonly connectionString: string;
  /** Startup parameters for each session (libpq, `options`): those of the URL and then ours, because of two that set the same the later one holds. */
  readonly options: string;
}

/**
 * What to give pg so that each session has the settings that are given, whatever `DATABASE_URL` says beside where Postgres is.
 * @param databaseUrl `postgres://…`
 * @param settings such as `-c synchronous_commit=on`
 */
export function addressOf(databaseUrl: string, settings: string): PostgresAddress {
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options') ?? '';
  const named = [...DECIDED, 'options'].filter((name) => url.searchParams.has(name));
  for (const name of named) url.searchParams.delete(name);
  // As it was written, where there is nothing to take out of it.
  const connectionString = named.length === 0 ? databaseUrl : url.href;
  return { connectionString, options: `${given} ${settings}`.trim() };
}
