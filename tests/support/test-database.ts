import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { databaseUrl, dropDatabase, onServer } from './test-server.ts';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A migrated, empty database of the caller's own. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `posthorn_test_${randomBytes(6).toString('hex')}`;
  const serverUrl = inject('serverUrl');
  await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${inject('template')} ${inject('copying')}`);
  return { url: databaseUrl(serverUrl, name), drop: () => dropDatabase(serverUrl, name) };
}
