import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CAREFUL_FROM, STRIKES_OUT } from '../../src/domain/suspicion.ts';
import { acquireLanes, findSleepingLanes, heartbeat, releaseLanes } from '../../src/store/lanes.ts';
import { clearSuspects, putOnTrial, reviewSuspects } from '../../src/store/suspects.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;
let owners = 0;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 4 });
  await pool.query(`INSERT INTO tenants (id, name) VALUES ('t', 't')`);
  await pool.query(`INSERT INTO endpoints (id, tenant_num, url) VALUES ('ep_1', 1, 'http://x.test/')`);
});

afterEach(async () => {
  await pool.end();
  await database.drop();
});

const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const delivery = (n: number) => ({ eventUuid: uuid(n), endpointNum: 1, lane: 3, attempt: 0 });
const keyOf = (n: number) => ({ eventUuid: uuid(n), endpointNum: 1 });

async function addRow(n: number): Promise<void> {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() - interval '1 ms', 1, 1, 3)`,
    [uuid(n)],
  );
}

/** Takes the lane; its former owner, if there is one, has died. */
async function acquire() {
  await pool.query(`UPDATE lanes SET leased_until = '-infinity' WHERE lane = 3`);
  const owner = `worker_${++owners}`;
  const [lease] = await acquireLanes(pool, owner, [3]);
  return { owner, lease: lease! };
}

const suspects = async () =>
  (await pool.query('SELECT event_id, strikes, on_trial FROM lane_suspects ORDER BY event_id')).rows.map((row) => [
    Number(row.event_id.slice(-12)),
    row.strikes,
    row.on_trial,
  ]);
const crashes = async () => (await pool.query('SELECT crashes FROM lanes WHERE lane = 3')).rows[0].crashes;

async function crash(times: number) {
  let taken = await acquire();
  for (let i = 0; i < times; i++) taken = await acquire();
  return taken;
}

test('owners that end without giving a lane back are counted; one that gives it back is not, and one whose work is done ends the count', async () => {
  expect((await crash(2)).lease.crashes).toBe(2);
  const drained = await crash(0);
  expect(drained.lease.crashes).toBe(3);
  await releaseLanes(pool, drained.owner, [drained.lease]);
  const next = await acquire();
  expect(next.lease.crashes).toBe(3);
  // A statement whose answer was lost is made again.
  expect(await acquireLanes(pool, next.owner, [3])).toMatchObject([{ crashes: 3 }]);
  const [again] = await acquireLanes(pool, next.owner, [3]);
  await releaseLanes(pool, next.owner, [{ ...again!, isDone: true }]);
  expect((await acquire()).lease.crashes).toBe(0);
});

test('a heartbeat that comes after its lane was given back does not keep others from it', async () => {
  const { owner, lease } = await acquire();
  await releaseLanes(pool, owner, [lease]);
  expect([...(await heartbeat(pool, owner, [lease])).held]).toEqual([]);
  expect(await acquireLanes(pool, 'another', [3])).toHaveLength(1);
});

test('a trial that comes after its lane was given back is none: nobody makes it', async () => {
  await addRow(1);
  const { owner, lease } = await acquire();
  await releaseLanes(pool, owner, [lease]);
  expect(await putOnTrial(pool, [lease], [delivery(1)])).toEqual([]);
  expect(await suspects()).toEqual([]);
});

test('an owner survives a lane when it has had it for a minute and nothing from before waits to be tried, or for ten minutes', async () => {
  const { owner, lease } = await crash(1);
  const beat = async (age: string) => {
    await pool.query(`UPDATE lanes SET acquired_at = now() - $1::interval WHERE lane = 3`, [age]);
    const { held, crashed } = await heartbeat(pool, owner, [lease]);
    expect([...held]).toEqual([3]);
    return [...crashed];
  };
  expect(await beat('59 s')).toEqual([3]);
  await addRow(1);
  await pool.query(`UPDATE mailbox SET due_at = now() - interval '2 min'`);
  expect(await beat('61 s')).toEqual([3]);
  await pool.query('DELETE FROM mailbox');
  await pool.query(
    `INSERT INTO lane_suspects (endpoint_num, event_id, lane, attempt, strikes, on_trial) VALUES (1, $1, 3, 0, 1, false)`,
    [uuid(1)],
  );
  expect(await beat('61 s')).toEqual([3]);
  await pool.query('UPDATE lane_suspects SET strikes = 0');
  expect(await beat('61 s')).toEqual([]);
  expect(await crashes()).toBe(0);
  await pool.query('UPDATE lanes SET crashes = 1 WHERE lane = 3');
  await pool.query('UPDATE lane_suspects SET strikes = 1');
  expect(await beat('601 s')).toEqual([]);
});

test('what was on trial when the owner died gets a strike, and with enough of them is set aside; what was cleared gets none', async () => {
  for (const n of [1, 2, 3]) await addRow(n);
  let { lease } = await crash(CAREFUL_FROM);
  for (let strike = 1; strike <= STRIKES_OUT; strike++) {
    expect(await putOnTrial(pool, [lease], [delivery(1), delivery(2)])).toEqual([]);
    await clearSuspects(pool, [lease], [keyOf(2)]);
    ({ lease } = await acquire());
    const review = await reviewSuspects(pool, [lease]);
    const struck = [{ ...keyOf(1), lane: 3, strikes: strike }];
    expect(review).toEqual(
      strike < STRIKES_OUT ? { suspects: struck, setAside: [] } : { suspects: [], setAside: struck },
    );
    // A review whose answer was lost is made again, and changes nothing.
    if (strike < STRIKES_OUT) expect(await reviewSuspects(pool, [lease])).toEqual(review);
  }
  expect(await suspects()).toEqual([]);
  const { rows } = await pool.query(
    `SELECT right(m.event_id::text, 1) AS n, m.parked, m.due_at = 'infinity' AS is_out, p.crashes FROM mailbox m LEFT JOIN poisoned_deliveries p USING (event_id, endpoint_num) ORDER BY 1`,
  );
  expect(rows).toEqual([
    { n: '1', parked: true, is_out: true, crashes: STRIKES_OUT },
    { n: '2', parked: false, is_out: false, crashes: null },
    { n: '3', parked: false, is_out: false, crashes: null },
  ]);
});

test('a lane that is given back in order strikes nobody, even where its requests had to be aborted', async () => {
  await addRow(1);
  const { owner, lease } = await crash(CAREFUL_FROM + 1);
  await putOnTrial(pool, [lease], [delivery(1)]);
  await releaseLanes(pool, owner, [lease]);
  const next = await acquire();
  expect((await reviewSuspects(pool, [next.lease])).suspects).toEqual([{ ...keyOf(1), lane: 3, strikes: 0 }]);
});

test('strikes of crashes that were survived since are forgotten, and so is what has moved on or is gone', async () => {
  for (const n of [1, 2]) await addRow(n);
  let { lease } = await crash(CAREFUL_FROM);
  await putOnTrial(pool, [lease], [delivery(1), delivery(2)]);
  await pool.query('UPDATE mailbox SET attempt = 1 WHERE event_id = $1', [uuid(1)]);
  ({ lease } = await acquire());
  expect((await reviewSuspects(pool, [lease])).suspects).toMatchObject([keyOf(2)]);
  await pool.query('UPDATE lanes SET crashes = 0 WHERE lane = 3');
  ({ lease } = await acquire());
  expect(await reviewSuspects(pool, [lease])).toEqual({ suspects: [], setAside: [] });
  expect(await suspects()).toEqual([]);
});

test('a former owner notes, clears and strikes nothing', async () => {
  await addRow(1);
  const former = await crash(CAREFUL_FROM);
  const { lease } = await acquire();
  expect(await putOnTrial(pool, [former.lease], [delivery(1), delivery(9)])).toEqual([]);
  expect(await suspects()).toEqual([]);
  await putOnTrial(pool, [lease], [delivery(1)]);
  await clearSuspects(pool, [former.lease], [keyOf(1)]);
  expect(await reviewSuspects(pool, [former.lease])).toEqual({ suspects: [], setAside: [] });
  expect(await suspects()).toEqual([[1, 0, true]]);
});

test('a delivery that is gone, or was tried meanwhile, is named and not noted', async () => {
  for (const n of [1, 2]) await addRow(n);
  await pool.query('UPDATE mailbox SET attempt = 1 WHERE event_id = $1', [uuid(2)]);
  const { lease } = await crash(CAREFUL_FROM);
  expect(await putOnTrial(pool, [lease], [delivery(1), delivery(2), delivery(3)])).toEqual([keyOf(2), keyOf(3)]);
  expect(await suspects()).toEqual([[1, 0, true]]);
});

test('a lane in which only deliveries that were set aside wait is left asleep', async () => {
  await addRow(1);
  await pool.query(`UPDATE lanes SET wake_at = 'infinity'`);
  expect(await findSleepingLanes(pool)).toMatchObject([{ lane: 3 }]);
  await pool.query(`UPDATE mailbox SET parked = true, due_at = 'infinity'`);
  expect(await findSleepingLanes(pool)).toEqual([]);
});
