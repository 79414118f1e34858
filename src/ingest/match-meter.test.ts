import { expect, test } from 'vitest';
import { PieceMeter, TurnMeter } from './match-meter.ts';

const nothing = () => 0;

test('events that are matched as fast as usual end no turn, however many they are', () => {
  const turn = new TurnMeter(nothing);
  const kept = Array.from({ length: 10_000 }, () => turn.took(1, 0.04)).filter(Boolean);
  expect(kept).toEqual([]);
  expect([turn.isOver, turn.isCostly(1)]).toEqual([false, false]);
});

test('many events that each take a little long end the turn of their tenant, and of no other', () => {
  const turn = new TurnMeter(nothing);
  let matched = 0;
  for (; !turn.isCostly(1); matched++) turn.took(1, 0.1);
  expect(matched).toBeGreaterThanOrEqual(249);
  expect(matched).toBeLessThanOrEqual(251);
  expect([turn.isCostly(2), turn.isOver]).toEqual([false, false]);
});

test('tenants whose events take long together end the turn of all, so that others have the event loop; costly are those that had a part of it, and no others', () => {
  const turn = new TurnMeter(nothing);
  turn.took(5, 0.1);
  for (const num of [1, 2]) turn.took(num, 20);
  expect([1, 2].map((num) => turn.isCostly(num))).toEqual([false, false]);
  turn.took(3, 30);
  expect(turn.isOver).toBe(true);
  expect([1, 2, 3, 4, 5].map((num) => turn.isCostly(num))).toEqual([true, true, true, false, false]);
});

test('a piece has events of so many milliseconds, and one where that takes longer', () => {
  let ms = 0;
  const piece = new PieceMeter(() => ms, 10);
  ms += 20;
  expect(piece.isOver).toBe(false);
  expect(piece.took()).toBe(true);
  expect(piece.isOver).toBe(true);
});
