import pg from 'pg';

export interface PostgresHost {
  /** A name or an address; a path where it is a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/** Where pg connects to: parameters of the URL and PG… variables may say so as well. Null where it does not understand the URL. */
export function postgresHost(databaseUrl: string): PostgresHost | null {
  try {
    const { host, port } = new pg.Client({ connectionString: databaseUrl });
    return { host, port };
  } catch {
    return null;
  }
}
