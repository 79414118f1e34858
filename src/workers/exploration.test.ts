import { expect, test } from 'vitest';
import { Exploration } from './exploration.ts';

test('parked endpoints are looked for every ten seconds, and less often the more there are', () => {
  const exploration = new Exploration();
  expect(exploration.isDue(0)).toBe(true);
  exploration.found(10, 1_000);
  expect([exploration.isDue(10_999), exploration.isDue(11_000)]).toEqual([false, true]);
  exploration.found(10_000, 11_000);
  expect([exploration.isDue(210_999), exploration.isDue(211_000)]).toEqual([false, true]);
});
