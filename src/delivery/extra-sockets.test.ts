import { expect, test } from 'vitest';
import { ExtraSockets } from './extra-sockets.ts';

/** How many it gets when it takes all that it can. */
function takeAll(extra: ExtraSockets, tenantNum: number): number {
  const allowance = extra.of(tenantNum);
  let taken = 0;
  while (allowance.take()) taken++;
  return taken;
}

test('a tenant has half of them at the most, through however many connections', () => {
  const extra = new ExtraSockets(64);
  expect([takeAll(extra, 1), takeAll(extra, 1)]).toEqual([32, 0]);
});

test('however many tenants take all that they can, the next has some, until hardly any is left', () => {
  const extra = new ExtraSockets(64);
  expect([1, 2, 3, 4, 5, 6, 7].map((tenantNum) => takeAll(extra, tenantNum))).toEqual([32, 16, 8, 4, 2, 1, 1]);
  expect(takeAll(extra, 8)).toBe(0);
});

test('what a tenant gives back is for all, and for itself again', () => {
  const extra = new ExtraSockets(4);
  expect([takeAll(extra, 1), takeAll(extra, 2), takeAll(extra, 3), takeAll(extra, 4)]).toEqual([2, 1, 1, 0]);
  extra.of(1).giveBack();
  expect(takeAll(extra, 4)).toBe(1);
  extra.of(1).giveBack();
  extra.of(4).giveBack();
  expect(takeAll(extra, 1)).toBe(1);
});
