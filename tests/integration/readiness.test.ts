import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessHealth } from '../../src/process-health.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test.each([
  ['takes writes', 'off', []],
  ['is read-only, as a standby is', 'on', ['postgres is read-only']],
])('readiness says whether Postgres %s', async (_, isReadOnly, problems) => {
  const pool = openPool(database.url, { options: `-c default_transaction_read_only=${isReadOnly}`, max: 1 });
  try {
    expect((await new ProcessHealth(pool).ready()).problems).toEqual(problems);
  } finally {
    await pool.end();
  }
});
