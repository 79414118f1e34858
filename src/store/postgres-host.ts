import pg from 'pg';

export interface PostgresHost {
  /** A name or an address; a path where it is a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/** Which database that is, for people: as `knownPlace` says, or that `DATABASE_URL` does. */
export function databasePlace(databaseUrl: string): string {
  return knownPlace(databaseUrl) ?? 'the one of DATABASE_URL';
}

/**
 * `host:port/name`, without user and password, and with what could play tricks on a terminal percent-encoded. Null if pg does not understand the URL, or takes
 * for the name what may be the end of a password: one with a `/` that was not percent-encoded.
 */
export function knownPlace(databaseUrl: string): string | null {
  const { host, port, database = '' } = clientFor(databaseUrl) ?? {};
  if (host === undefined || /[@:]/.test(database)) return null;
  // A path may have colons, too, and no other name.
  const place = `${/^[^/]*:/.test(host) ? `[${host}]` : host}:${port}/${database}`;
  return place.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, encodeURIComponent);
}

/**
 * The host and port that pg connects to: the URL's parameters and PG… variables may set them as well. Null if pg does not understand the
 * URL.
 */
export function postgresHost(databaseUrl: string): PostgresHost | null {
  const client = clientFor(databaseUrl);
  return client && { host: client.host, port: client.port };
}

/** Null if pg does not understand the URL. It is not connected. */
function clientFor(databaseUrl: string): pg.Client | null {
  try {
    return new pg.Client({ connectionString: databaseUrl });
  } catch {
    return null;
  }
}
