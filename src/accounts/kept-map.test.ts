import { expect, test } from 'vitest';
import { KeptMap } from './kept-map.ts';

test('a value stays the same while there is something to be said of it, and however many others come and go it is there', () => {
  const map = new KeptMap(
    () => ({ rows: 0 }),
    ({ rows }) => rows === 0,
  );
  const busy = map.of(1);
  busy.rows = 1;
  for (let num = 2; num < 100_000; num++) map.of(num);
  expect(map.of(1)).toBe(busy);
  expect(map.size).toBeLessThan(5_000);
});

test('more values than a few stay when all of them are in use', () => {
  const map = new KeptMap(
    (num) => ({ num, rows: 1 }),
    ({ rows }) => rows === 0,
  );
  for (let num = 0; num < 10_000; num++) map.of(num);
  expect([...map.values()].map(({ num }) => num)).toEqual(Array.from({ length: 10_000 }, (_, num) => num));
});
