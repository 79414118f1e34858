import { expect, test } from 'vitest';
import { MatchRate } from './match-rate.ts';

function rateAt() {
  const clock = { ms: 0 };
  return { clock, rate: new MatchRate(() => clock.ms) };
}

test('events that are matched as fast as usual cost their tenant nothing, however many they are', () => {
  const { rate } = rateAt();
  const turn = rate.turn();
  const kept = Array.from({ length: 10_000 }, () => turn.took(1, 0.04)).filter(Boolean);
  expect(kept).toEqual([]);
  expect([turn.isOver, turn.isClosed(1), rate.waitMs(1)]).toEqual([false, false, 0]);
});

test('many events that each take a little long end the turn of their tenant, and of no other', () => {
  const { rate } = rateAt();
  const turn = rate.turn();
  let matched = 0;
  for (; !turn.isClosed(1); matched++) turn.took(1, 0.1);
  expect(matched).toBeGreaterThanOrEqual(249);
  expect(matched).toBeLessThanOrEqual(251);
  expect([turn.isClosed(2), turn.isOver]).toEqual([false, false]);
});

test('tenants whose events take long together end the turn of all, so that others have the event loop', () => {
  const { rate } = rateAt();
  const turn = rate.turn();
  for (const num of [1, 2, 3]) turn.took(num, 20);
  expect([turn.isOver, turn.isClosed(4)]).toEqual([true, true]);
  expect(rate.turn().isOver).toBe(false);
});

test('over time a tenant has a third of the process for its matching, and all have two thirds', () => {
  const { rate, clock } = rateAt();
  rate.pay(1, 1_500);
  expect(rate.ownWaitMs(1)).toBeGreaterThan(3_000);
  expect(rate.ownWaitMs(1)).toBeLessThan(3_100);
  const turn = rate.turn();
  for (const num of [1, 2]) turn.enter(num);
  expect([1, 2].map((num) => turn.isClosed(num))).toEqual([true, false]);
  expect(rate.ownWaitMs(2)).toBe(0);
  // Where its events take long, it waits for what all have spent.
  expect(rate.waitMs(2)).toBeGreaterThan(1_000);
  clock.ms += 3_100;
  expect([1, 2].map((num) => rate.waitMs(num))).toEqual([0, 0]);
});

test('a piece has events of so many milliseconds, and one where that takes longer; what they took is paid', () => {
  const { rate, clock } = rateAt();
  const piece = rate.piece(10);
  clock.ms += 20;
  expect(piece.isClosed(1)).toBe(false);
  piece.took(1, 20);
  expect(piece.isClosed(1)).toBe(true);
  expect(rate.ownWaitMs(1)).toBe(0);
  rate.piece(10).took(1, 1_000);
  expect(rate.ownWaitMs(1)).toBeGreaterThan(1_000);
});
