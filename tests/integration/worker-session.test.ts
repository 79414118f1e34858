import type pg from 'pg';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { freeLanesOfGone } from '../../src/store/free-gone-lanes.ts';
import { LaneCalls } from '../../src/store/lane-calls.ts';
import { acquireLanes, heartbeat } from '../../src/store/lanes.ts';
import { type Connection, WorkerSession } from '../../src/store/worker-session.ts';
import { eventually } from '../support/eventually.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 4 });
});

afterEach(async () => {
  await pool.end();
  await database.drop();
});

const lockKeyOf = async (id: string) =>
  (await pool.query('SELECT lock_key FROM workers WHERE id = $1', [id])).rows[0]?.lock_key ?? null;

async function startSession(workerId: string, connect?: (pool: pg.Pool) => Promise<Connection>) {
  const failures: string[] = [];
  const calls: (readonly number[])[] = [];
  const session = new WorkerSession({
    pool,
    workerId,
    onFailure: (error) => failures.push((error as Error).message),
    onCall: (lanes) => calls.push(lanes),
    ...(connect === undefined ? {} : { connect }),
  });
  session.start();
  onTestFinished(() => session.close());
  return { session, failures, calls };
}

async function startHeld(workerId: string): Promise<WorkerSession> {
  const { session } = await startSession(workerId);
  await eventually(
    async () => session.heldMs,
    (ms) => ms > 0,
  );
  return session;
}

/** What a worker that died leaves: a lane under lease, a row that grows old, and no session. */
async function leaveBehind(id: string, lane: number): Promise<void> {
  await acquireLanes(pool, id, [lane]);
  await pool.query(
    `INSERT INTO workers (id, seen_at, lock_key, server_started_at) VALUES ($1, now() - interval '3 s', 12345, pg_postmaster_start_time())`,
    [id],
  );
}

test('a worker that died gives up its lanes and its share at once, its lease and its last sign of life notwithstanding', async () => {
  const judge = await startHeld('judge');
  await leaveBehind('dead', 0);
  expect(await acquireLanes(pool, 'judge', [0])).toEqual([]);
  expect((await heartbeat(pool, 'judge', [])).workers).toBe(2);
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 1, lanes: 1 });
  // What it left has waited for an owner since then, and not since it fell due.
  const { rows } = await pool.query(`SELECT isfinite(leased_until) AS is_told FROM lanes WHERE lane = 0`);
  expect(rows).toEqual([{ is_told: true }]);
  expect(await acquireLanes(pool, 'judge', [0])).toMatchObject([{ lane: 0, epoch: 2 }]);
  expect((await heartbeat(pool, 'judge', [])).workers).toBe(1);
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 0, lanes: 0 });
});

test.each([
  ['was seen within two seconds', `seen_at = now() - interval '1 s'`],
  ['never said that others may go by its lock', 'lock_key = NULL'],
  ['took its lock in another run of Postgres', `server_started_at = server_started_at - interval '1 microsecond'`],
])('a worker that %s keeps its lanes until their leases end', async (_what, change) => {
  const judge = await startHeld('judge');
  await leaveBehind('quiet', 0);
  // For a transaction no time passes.
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`UPDATE workers SET ${change} WHERE id = 'quiet'`);
    const freed = await freeLanesOfGone(client as unknown as pg.Pool, 'judge', judge.lockKey);
    expect(freed).toEqual({ workers: 0, lanes: 0 });
    await client.query('COMMIT');
  } finally {
    client.release(true);
  }
  expect(await acquireLanes(pool, 'judge', [0])).toEqual([]);
});

test('a worker whose session is there keeps its lanes however long it is silent', async () => {
  const judge = await startHeld('judge');
  const frozen = await startHeld('frozen');
  await acquireLanes(pool, 'frozen', [0]);
  await pool.query(`UPDATE workers SET seen_at = now() - interval '1 min' WHERE id = 'frozen'`);
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 0, lanes: 0 });
  await frozen.close();
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 1, lanes: 1 });
});

test('nobody is judged by a worker whose own session is away: Postgres may have dropped them all', async () => {
  const judge = await startHeld('judge');
  await leaveBehind('dead', 0);
  await judge.close();
  expect(judge.heldMs).toBe(0);
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 0, lanes: 0 });
});

test('a lane whose former owner is being written to is passed over, and freed at the next look', async () => {
  const judge = await startHeld('judge');
  await leaveBehind('dead', 0);
  const settling = await pool.connect();
  await settling.query('BEGIN');
  await settling.query('SELECT 1 FROM lanes WHERE lane = 0 FOR SHARE');
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 1, lanes: 0 });
  await settling.query('COMMIT');
  settling.release();
  expect(await freeLanesOfGone(pool, 'judge', judge.lockKey)).toEqual({ workers: 1, lanes: 1 });
});

test('a lost session comes back by itself, under the same lock', async () => {
  const { session, failures } = await startSession('worker');
  const holder = async () =>
    (await pool.query('SELECT pid FROM pg_locks WHERE classid = 7410 AND objid = $1::bigint::oid', [session.lockKey]))
      .rows[0]?.pid ?? null;
  const first = await eventually(holder, (pid) => pid !== null);
  await pool.query('SELECT pg_terminate_backend($1)', [first]);
  const second = await eventually(holder, (pid) => pid !== null && pid !== first);
  expect(second).not.toBe(first);
  expect(
    await eventually(
      () => lockKeyOf('worker'),
      (key) => key !== null,
    ),
  ).toBe(session.lockKey);
  expect(failures.length).toBeGreaterThan(0);
});

test('a call is heard by every worker of its installation, by no other, and again after a session was lost', async () => {
  const one = await startSession('one');
  const two = await startSession('two');
  const other = await createTestDatabase();
  onTestFinished(() => other.drop());
  const elsewhere = openPool(other.url, { max: 1 });
  onTestFinished(() => elsewhere.end());
  const failures: unknown[] = [];
  const ours = new LaneCalls(pool, (error) => failures.push(error));
  const theirs = new LaneCalls(elsewhere, (error) => failures.push(error));
  onTestFinished(() => {
    ours.close();
    theirs.close();
  });
  const heard = (session: typeof one) => new Set(session.calls.flat());
  const untilHeard = (lane: number) =>
    eventually(
      async () => {
        theirs.call([99]);
        ours.call([lane, 3]);
        return [heard(one), heard(two)];
      },
      (sets) => sets.every((set) => set.has(lane) && set.has(3)),
    );
  await untilHeard(7);
  await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = 7410 AND objid = ANY($1::bigint[]::oid[])`,
    [[one.session.lockKey, two.session.lockKey]],
  );
  await untilHeard(8);
  expect([heard(one), heard(two)]).toEqual([new Set([7, 3, 8]), new Set([7, 3, 8])]);
  expect(failures).toEqual([]);
});

test('one call at a time, and one in five milliseconds, may go out behind a commit; what comes meanwhile is called after its own', async () => {
  const { session, calls } = await startSession('one');
  await eventually(
    async () => session.heldMs,
    (ms) => ms > 0,
  );
  // Of the calls: a session that is not had in two seconds fails too, and is tried for again.
  const failures: unknown[] = [];
  const ours = new LaneCalls(pool, (error) => failures.push(error));
  onTestFinished(() => ours.close());
  const behind = ours.callBehind([1, 2]);
  expect(behind).toMatchObject({ query: { values: ['1 2'] } });
  expect(ours.callBehind([3])).toBeNull();
  ours.call([3]);
  await eventually(
    async () => calls.flat(),
    (lanes) => lanes.includes(3),
  );
  // What goes out behind a commit is the commit's to send.
  expect(calls).toEqual([[3]]);
  // Longer than the pause between two calls: what is missing now is the answer to the first.
  for (let i = 0; i < 50; i++) {
    await pool.query('SELECT 1');
    expect(ours.callBehind([4])).toBeNull();
  }
  behind!.settled();
  await eventually(
    async () => ours.callBehind([4]),
    (call) => call !== null,
  );
  expect(failures).toEqual([]);
});

/** What a proxy that pools transactions makes of a connection: each statement may come to another session. */
const pooled = async (): Promise<Connection> => {
  const sessions = openPool(database.url, { max: 2 });
  let turn = 0;
  const clients = [await sessions.connect(), await sessions.connect()];
  return {
    query: (text, values) => clients[turn++ % 2]!.query(text, values),
    onLost: () => {},
    listen: async () => {},
    close: async () => {
      for (const client of clients) client.release(true);
      await sessions.end();
    },
  };
};

test('behind a proxy that pools transactions a worker says that its lock tells nothing, and judges nobody', async () => {
  const { session, failures } = await startSession('worker', pooled);
  await eventually(
    async () => failures.length,
    (count) => count > 0,
  );
  expect(failures).toEqual([expect.stringContaining('pools transactions')]);
  expect(await lockKeyOf('worker')).toBeNull();
  expect(session.heldMs).toBe(0);
});

test('a session that goes to another connection while a transaction is open is known for a pooled one', async () => {
  // As a pooler does: the free session goes to whoever asks next, and this connection then gets another one.
  const first = await pool.connect();
  const second = await pool.connect();
  const pids = await Promise.all(
    [first, second].map(async (c) => (await c.query('SELECT pg_backend_pid() AS pid')).rows[0].pid),
  );
  expect(new Set(pids).size).toBe(2);
  let asked = 0;
  const { failures } = await startSession('worker', async () => ({
    query: (text, values) => (++asked <= 2 ? first : second).query(text, values),
    onLost: () => {},
    listen: async () => {},
    close: async () => {},
  }));
  await eventually(
    async () => failures.length,
    (count) => count > 0,
  );
  expect(failures).toEqual([expect.stringContaining('pools transactions')]);
  expect(await lockKeyOf('worker')).toBeNull();
  first.release(true);
  second.release(true);
});
