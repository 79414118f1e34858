import type pg from 'pg';
import { expect, test } from 'vitest';
import { checkPooler, PoolerError } from './check-pooler.ts';

/** Sessions by their numbers; a transaction keeps the one that it began on, everything else goes to the one that was free last, as PgBouncer does it. */
function poolOf({ isShared }: { isShared: boolean }): pg.Pool {
  const free = [1, 2];
  const connect = async () => {
    let kept = isShared ? undefined : free.pop()!;
    return {
      query: async (statement: string | { readonly text: string }) => {
        const pid = kept ?? free.pop()!;
        const isKept = kept !== undefined || statement === 'BEGIN';
        if (isShared && statement === 'ROLLBACK') kept = undefined;
        else if (isKept) kept = pid;
        if (kept === undefined) free.push(pid);
        return { rows: [{ pid }] };
      },
      release: () => {},
    };
  };
  return { connect } as unknown as pg.Pool;
}

test.each([
  { isShared: false, onPostgres: true },
  { isShared: false, onPostgres: false },
  { isShared: true, onPostgres: false },
])(
  'sessions shared: $isShared, BullMQ on Postgres: $onPostgres: nothing is missing',
  async ({ isShared, onPostgres }) => {
    await checkPooler(poolOf({ isShared }), onPostgres);
  },
);

test('BullMQ on Postgres does not go by sessions that others have too: Redis is asked for', async () => {
  const checked = checkPooler(poolOf({ isShared: true }), true);
  await expect(checked).rejects.toThrow(PoolerError);
  await expect(checked).rejects.toThrow(/Set REDIS_URL/);
});

test('what Postgres says otherwise stays what it is', async () => {
  const client = { query: () => Promise.reject(new Error('the disk is full')), release: () => {} };
  const pool = { connect: async () => client } as unknown as pg.Pool;
  await expect(checkPooler(pool, true)).rejects.toThrow('the disk is full');
});

test('where only one of the two connections is to be had, it is given back, and the error is told', async () => {
  let released = 0;
  let opened = 0;
  const one = { query: async () => ({ rows: [{ pid: 1 }] }), release: () => void released++ };
  const connect = async () => {
    if (opened++ > 0) throw new Error('too many connections');
    return one;
  };
  await expect(checkPooler({ connect } as unknown as pg.Pool, false)).rejects.toThrow('too many connections');
  expect(released).toBe(1);
});
