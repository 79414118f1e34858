import { expect, test } from 'vitest';
import { SlotList } from './slot-list.ts';

test('what was added is in it until it is removed, and places of those that went are taken again', () => {
  const list = new SlotList<string>();
  const slots = ['a', 'b', 'c'].map((item) => list.add(item));
  list.remove(slots[1]!);
  expect([...list]).toEqual(['a', 'c']);
  expect(list.add('d')).toBe(slots[1]);
  list.remove(slots[0]!);
  list.remove(slots[2]!);
  expect([...list]).toEqual(['d']);
});
