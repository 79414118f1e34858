import pg from 'pg';
import { PATIENT_DEADLINE_MS } from './test-settings.ts';

/** One statement on a connection of its own. */
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever columns they ask for.
export async function query(databaseUrl: string, text: string, values: unknown[] = []): Promise<any[]> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: PATIENT_DEADLINE_MS });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}
