import pg from 'pg';

/** Of every database of the tests. */
export const TEST_LANES = 8;

export async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** Drops it when those whose connections are closing have left, lest they hear of it as an error; whoever stays for half a second is cut off. */
export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await onServer(
    serverUrl,
    `DO $$ BEGIN
       FOR i IN 1..50 LOOP
         EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '${name}');
         PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
       END LOOP;
     END $$`,
  );
  await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
}

export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}
