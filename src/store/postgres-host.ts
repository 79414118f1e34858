import pg from 'pg';

export interface PostgresHost {
  /** A name or an address; a path where it is a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/** Which database that is, for people: `host:port/name`, without user and password. */
export function databasePlace(databaseUrl: string): string {
  try {
    const { host, port, database } = new pg.Client({ connectionString: databaseUrl });
    // A path may have colons, too, and no other name.
    return `${/^[^/]*:/.test(host) ? `[${host}]` : host}:${port}/${database}`;
  } catch {
    return 'the one of DATABASE_URL';
  }
}

/**
 * The host and port that pg connects to: the URL's parameters and PG… variables may set them as well. Null if pg does not understand the
 * URL.
 */
export function postgresHost(databaseUrl: string): PostgresHost | null {
  try {
    const { host, port } = new pg.Client({ connectionString: databaseUrl });
    return { host, port };
  } catch {
    return null;
  }
}
