import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { type Connection, WorkerSession } from './worker-session.ts';

/** A Postgres that gives the lock and answers every ping at once. */
function fakeSession(onPing: () => void) {
  let lose = () => {};
  const query = async (text: string) => {
    if (text === 'SELECT pg_backend_pid() AS pid') onPing();
    return { rows: [{ pid: 1, taken: true, visible: true, schema: 'public' }] };
  };
  const pool = { query, connect: async () => ({ query, release: () => {} }) } as unknown as pg.Pool;
  const connect = async (): Promise<Connection> => ({
    query: query as unknown as Connection['query'],
    onLost: (lost) => {
      lose = lost;
    },
    listen: async () => {},
    close: async () => {},
  });
  const failures: string[] = [];
  const onFailure = (error: unknown) => void failures.push((error as Error).message);
  const session = new WorkerSession({ pool, workerId: 'worker', onFailure, connect, pingMs: 0 });
  onTestFinished(() => session.close());
  return { session, failures, lose: () => lose() };
}

const THEN = 'then';

/** @returns what tells how many waits for one and the same promise there were, at the most */
function countWaits(): () => number {
  const waits = new WeakMap<object, number>();
  const wait = Promise.prototype.then;
  let most = 0;
  const counting = function (this: Promise<unknown>, ...given: Parameters<typeof wait>) {
    const times = (waits.get(this) ?? 0) + 1;
    waits.set(this, times);
    most = Math.max(most, times);
    return wait.apply(this, given);
  };
  Reflect.set(Promise.prototype, THEN, counting);
  onTestFinished(() => void Reflect.set(Promise.prototype, THEN, wait));
  return () => most;
}

test('a session that is kept for long waits for nothing time and again that lasts as long: each wait would stay in memory', async () => {
  let pings = 0;
  const kept = Promise.withResolvers<void>();
  const { session } = fakeSession(() => {
    if (++pings === 200) kept.resolve();
  });
  const waits = countWaits();
  session.start();
  await kept.promise;
  expect(waits()).toBeLessThan(20);
});

test('a session that is lost between two pings is given up at once, and another begun', async () => {
  let pings = 0;
  const begun = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  const { session, failures, lose } = fakeSession(() => {
    pings++;
    if (pings === 10) begun.resolve();
    if (failures.length > 0) again.resolve();
  });
  session.start();
  await begun.promise;
  lose();
  await again.promise;
  expect(failures[0]).toBe('the session of this worker was lost');
});
