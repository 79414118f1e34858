import { expect, test } from 'vitest';
import { Troubles } from './troubles.ts';

test('trouble is told until none is left: a line that recovers does not hide another, nor the others together', () => {
  const told: unknown[] = [];
  const troubles = new Troubles((error) => told.push(error));
  troubles.set('a', null);
  expect(told).toEqual([]);
  troubles.set('a', 'a is stuck');
  troubles.set(null, 'the others are');
  troubles.set('a', null);
  expect(told).toEqual(['a is stuck', 'the others are']);
  troubles.set(null, null);
  troubles.set(null, null);
  expect(told).toEqual(['a is stuck', 'the others are', null]);
});
