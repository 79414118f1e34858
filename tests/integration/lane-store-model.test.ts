import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Decision } from '../../src/domain/outcome.ts';
import type { DueDelivery } from '../../src/store/mailbox.ts';
import { openWithClock, TableTwins } from '../support/table-twins.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { acquire, add, cancel } from '../support/twin-acts.ts';
import { aStep, attemptOf } from '../support/twin-statements.ts';

let database: TestDatabase;
let pool: pg.Pool;
let twins: TableTwins;

beforeAll(async () => {
  database = await createTestDatabase();
  const clock = { nowMs: 0 };
  pool = await openWithClock(database.url, clock);
  twins = new TableTwins(pool, clock);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const ENDPOINTS = [
  { num: 1, lane: 0, tenantNum: 1, keys: 0, onDeadLetter: 'continue' },
  { num: 2, lane: 0, tenantNum: 1, keys: 1, onDeadLetter: 'pause' },
  { num: 3, lane: 1, tenantNum: 2, keys: 2, onDeadLetter: 'continue' },
  { num: 4, lane: 1, tenantNum: 1, keys: 0, onDeadLetter: 'pause' },
  { num: 5, lane: 2, tenantNum: 2, keys: 3, onDeadLetter: 'pause' },
] as const;

test('the model of the tables, on which owners of lanes are tried, answers and changes as the statements do that it stands for', async () => {
  const plays = fc.asyncProperty(fc.array(aStep, { minLength: 1, maxLength: 80, size: 'max' }), async (steps) => {
    await twins.reset(ENDPOINTS);
    for (const step of steps) await step.run(twins);
  });
  // To find the shortest play that fails may take long.
  await fc.assert(plays, { seed: 20261130, numRuns: 50, interruptAfterTimeLimit: 150_000 });
});

// What is drawn seldom comes to these.
const [THERE, GONE] = [1, 0];

/** Rows of the only key of the second endpoint, and who holds its lane. */
async function line(rows: number) {
  await twins.reset(ENDPOINTS);
  await add(twins, 2, rows, 0, false);
  await acquire(twins, 'worker_1', [0]);
  const leases = twins.given.get(0)!;
  const settle = (row: number, decision: Decision, mayPauseKey: boolean) => {
    const attempt = attemptOf(twins, { row, decision, mayPauseKey, isOld: false })!;
    return twins.ask('worker_1', (store) => store.settle(leases, [attempt]), String);
  };
  return { leases, settle };
}

test('so it does where what a key waits for was delivered after all', async () => {
  const { settle } = await line(2);
  await settle(THERE, { kind: 'dead_letter' }, true);
  expect([...twins.model.paused]).toEqual(['2/0']);
  await settle(GONE, { kind: 'done' }, false);
  expect([...twins.model.paused]).toEqual([]);
});

test('so it does where what is cancelled has left the mailbox', async () => {
  const { leases, settle } = await line(2);
  const rows = twins.made.map((row) => ({ ...row }) as unknown as DueDelivery);
  await twins.ask('worker_1', (store) => store.setBehind(leases, rows), String);
  await settle(THERE, { kind: 'done' }, false);
  await cancel(twins, twins.made[0]!);
  expect(twins.model.rows.size).toBe(1);
});
