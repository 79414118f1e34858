import { expect, onTestFinished, test } from 'vitest';
import { listPartitions, startOfDay } from '../../src/store/partitions.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { TEST_LANES } from '../support/test-server.ts';

const DAY_MS = 86_400_000;

test('where today and tomorrow are there, a start does not wait for whoever keeps the days after from being made', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const pool = openPool(database.url, { max: 1 });
  onTestFinished(() => pool.end());
  const days = await listPartitions(pool);
  for (const { name, dayMs } of days)
    if (dayMs > startOfDay(Date.now()) + 2 * DAY_MS) await pool.query(`DROP TABLE "${name}"`);
  const holder = await pool.connect();
  onTestFinished(() => holder.release(true));
  await holder.query('BEGIN');
  // As ANALYZE of the whole log does.
  await holder.query('LOCK TABLE events, attempts IN SHARE UPDATE EXCLUSIVE MODE');
  await expect(prepareDatabase(database.url, TEST_LANES)).resolves.toEqual({ unknownMigrations: [] });
});
