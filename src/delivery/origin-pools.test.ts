import { expect, test } from 'vitest';
import { createOriginPools } from './origin-pools.ts';

const poolsOf = (idlePoolMs: number, maxOrigins = 100) =>
  createOriginPools({
    connector: { connect: () => ({ giveUp() {}, isBeforeProxy: false, decidedFailure: null }), close() {} },
    connectionsPerOrigin: 1,
    maxOrigins,
    keepAliveMs: 1_000,
    maxHeaderBytes: 16_384,
    idlePoolMs,
  });

test('a sweep closes the pools that are idle, and no other', async () => {
  const pools = poolsOf(0);
  const busy = pools.get('http://busy.test', 1);
  busy.busy = 1;
  const idle = pools.get('http://idle.test', 1);
  pools.sweep();
  expect([busy.pool.destroyed, idle.pool.destroyed, pools.size]).toEqual([false, true, 1]);
  await pools.destroy();
});

test('a pool that was used lately outlives a sweep', async () => {
  const pools = poolsOf(60_000);
  const { pool } = pools.get('http://recent.test', 1);
  pools.sweep();
  expect(pool.destroyed).toBe(false);
  expect(pools.get('http://recent.test', 1).pool).toBe(pool);
  await pools.destroy();
});

test('pools stay within their bound while one is idle, and beyond it none that is busy is closed', async () => {
  const pools = poolsOf(60_000, 2);
  const first = pools.get('http://1.test', 1);
  const second = pools.get('http://2.test', 1);
  second.busy = 1;
  const third = pools.get('http://3.test', 1);
  expect([first.pool.destroyed, second.pool.destroyed, pools.size]).toEqual([true, false, 2]);
  third.busy = 1;
  pools.get('http://4.test', 1);
  expect([second.pool.destroyed, third.pool.destroyed, pools.size]).toEqual([false, false, 3]);
  await pools.destroy();
});

test('two tenants at one origin have connections of their own', () => {
  const pools = poolsOf(1_000);
  expect(pools.get('http://shared.test', 1)).not.toBe(pools.get('http://shared.test', 2));
  expect(pools.get('http://shared.test', 1)).toBe(pools.get('http://shared.test', 1));
});
