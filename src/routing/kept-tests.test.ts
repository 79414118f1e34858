import { expect, test } from 'vitest';
import { IndexedTest } from './indexed-test.ts';
import { KeptTests } from './kept-tests.ts';
import { PathNode } from './path-node.ts';

/** Five of these are as many conditions as are kept. */
const FIFTH = 50_000;

const testOf = (conditions: number) =>
  new IndexedTest(new PathNode(null, ''), Array(conditions).fill({ kind: 'string', text: 'a' }));

const keptOf = (kept: KeptTests, records: readonly number[]) =>
  records.filter((record) => kept.get(record) !== undefined);

test('tests that could be asked without give way, those that were made first, and no more of them are kept until one is let go', () => {
  const kept = new KeptTests();
  const [fifth, small] = [testOf(FIFTH), testOf(2)];
  for (const record of [1, 2, 3, 4]) kept.keep(record, fifth, true);
  expect(kept.hasRoomFor(5)).toBe(true);
  kept.keep(5, fifth, false);
  expect([kept.hasRoomFor(1), kept.hasRoomFor(6)]).toEqual([true, false]);
  kept.keep(7, small, false);
  expect(keptOf(kept, [1, 2, 3, 4, 5, 7])).toEqual([2, 3, 4, 5, 7]);
  // There is room again, but who takes it would have to give way to the next.
  expect([kept.hasRoomFor(1), kept.hasRoomFor(2)]).toEqual([false, true]);
  kept.release(1);
  expect(kept.hasRoomFor(1)).toBe(false);
  kept.release(2);
  expect(kept.hasRoomFor(1)).toBe(true);
});

test('where all that are kept are needed those that were made first go, an eighth at the least, and the others stay', () => {
  const kept = new KeptTests();
  const [fifth, small] = [testOf(FIFTH), testOf(2)];
  for (const record of [1, 2, 3, 4, 5]) kept.keep(record, fifth, false);
  kept.keep(6, small, false);
  expect(keptOf(kept, [1, 2, 3, 4, 5, 6])).toEqual([2, 3, 4, 5, 6]);
  const many = new KeptTests();
  const records = Array.from({ length: 4_097 }, (_, i) => i + 1);
  for (const record of records) many.keep(record, small, false);
  expect(keptOf(many, records)).toEqual(records.slice(512));
});
