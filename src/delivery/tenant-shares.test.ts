import { expect, test } from 'vitest';
import { TenantShares } from './tenant-shares.ts';

test('a tenant never has more than half, however many it takes at once', () => {
  expect(new TenantShares(100).take(1, 51)).toBe(false);
  expect(new TenantShares(100).take(1, 50)).toBe(true);
  const shares = new TenantShares(100);
  expect([20, 20, 11, 10, 1].map((count) => shares.take(1, count))).toEqual([true, true, false, true, false]);
});

test('of what one tenant leaves the next has half, and what was refused takes nothing', () => {
  const shares = new TenantShares(100);
  expect([shares.take(1, 50), shares.take(2, 26), shares.take(2, 25), shares.take(3, 13)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('what is given back in part is for all again, and none at all can always be had', () => {
  const shares = new TenantShares(10);
  expect([shares.take(1, 5), shares.take(1, 0), shares.take(2, 3), shares.take(3, 2)]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  shares.giveBack(1, 0);
  shares.giveBack(1, 2);
  expect([shares.take(3, 2), shares.take(1, 1)]).toEqual([true, false]);
});
