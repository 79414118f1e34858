import { afterAll, beforeAll, expect, test } from 'vitest';
import { variables } from '../../src/config/variables.ts';
import { heartbeat } from '../../src/store/lanes.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { createPool } from '../../src/store/pools.ts';
import { Housekeeping } from '../../src/workers/housekeeping.ts';
import { eventually } from '../support/eventually.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

/** The fewest connections that the configuration lets the pool of deliveries have. */
function fewest(): number {
  const { schema } = variables.DATABASE_WORKER_CONNECTIONS;
  return Array.from({ length: 10 }, (_, n) => n).findIndex((n) => schema.safeParse(String(n)).success);
}

test('with the fewest connections that may be set leases are renewed while housekeeping waits in both of its rounds', async () => {
  const others = openPool(database.url, { max: 2 });
  const pool = createPool({
    databaseUrl: database.url,
    name: 'worker',
    size: fewest(),
    connectMs: 30_000,
    statementMs: 30_000,
    onError: () => {},
  });
  const waiting = async () => {
    const { rowCount } = await others.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rowCount;
  };
  await ensurePartitions(others, NOW - 40 * DAY_MS, 0);
  const stopping = new AbortController();
  const housekeeping = new Housekeeping({
    pool,
    retentionDays: 30,
    deadLetterDays: 30,
    idempotencyHours: 24,
    onDone: () => {},
    onLeft: () => {},
    onExpired: () => {},
    onFailure: () => {},
  });
  const holder = await others.connect();
  const rounds: Promise<void>[] = [];
  try {
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE expansions, rejected_messages IN ACCESS EXCLUSIVE MODE');
    rounds.push(housekeeping.dropDays(NOW, NOW, stopping.signal), housekeeping.runOnce(NOW, NOW, stopping.signal));
    await eventually(waiting, (count) => count === 2);
    const renewed = heartbeat(pool, 'worker_1', []);
    expect(
      await Promise.race([renewed.then(() => 'renewed'), ...rounds.map((round) => round.then(() => 'over'))]),
    ).toBe('renewed');
    expect(await waiting()).toBe(2);
  } finally {
    stopping.abort();
    await holder.query('ROLLBACK');
    holder.release();
    await Promise.all(rounds);
    await pool.end();
    await others.end();
  }
});
