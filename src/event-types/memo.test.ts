import { expect, test } from 'vitest';
import { Memo } from './memo.ts';

/** A memo, and what was made for it. */
function filled(capacity: ConstructorParameters<typeof Memo<string, number>>[0]) {
  const memo = new Memo<string, number>(capacity);
  const made: string[] = [];
  const ask = (key: string, value = 1) =>
    memo.get(key, async () => {
      made.push(key);
      return value;
    });
  const askAll = async (keys: string) => {
    for (const key of keys) await ask(key);
  };
  return { memo, made, ask, askAll };
}

test('of what was asked for by either way the least recent is pushed out', async () => {
  const { memo, made, askAll } = filled({ entries: 3 });
  await askAll('abc');
  expect(memo.peek('a')).toBe(1);
  await askAll('b');
  await askAll('d');
  expect([memo.size, memo.peek('c'), memo.peek('a'), memo.peek('b')]).toEqual([3, undefined, 1, 1]);
  await askAll('e');
  expect(memo.peek('d')).toBeUndefined();
  expect(made.join('')).toBe('abcde');
});

test('as many as there is room for are kept, and so many as weigh as much as there may be', async () => {
  const { memo, ask } = filled({ entries: 9, weight: { most: 10, of: (value) => value } });
  for (const [key, value] of [['a', 4] as const, ['b', 6] as const]) await ask(key, value);
  expect(memo.size).toBe(2);
  await ask('c', 1);
  expect([memo.size, memo.peek('a')]).toEqual([2, undefined]);
  await ask('d', 3);
  expect(memo.size).toBe(3);
});

test('where weight is bounded the order counts while there is room for many more entries', async () => {
  const { memo, ask } = filled({ entries: 100, weight: { most: 10, of: (value) => value } });
  await ask('a', 5);
  await ask('b', 5);
  await ask('a', 5);
  await ask('c', 5);
  expect([memo.peek('a'), memo.peek('b')]).toEqual([5, undefined]);
});

test('one that is too heavy alone is kept until another comes', async () => {
  const { memo, ask } = filled({ entries: 9, weight: { most: 10, of: (value) => value } });
  await ask('a', 1);
  await ask('b', 50);
  expect([memo.size, memo.peek('b')]).toEqual([1, 50]);
  await ask('c', 1);
  expect([memo.size, memo.peek('c')]).toEqual([1, 1]);
});

test('entries count while they are being made, and are not there to be peeked at', async () => {
  const { memo, ask } = filled({ entries: 2 });
  const pending = ['a', 'b', 'c'].map((key) => ask(key));
  expect([memo.size, memo.peek('c')]).toEqual([2, undefined]);
  await Promise.all(pending);
  expect([memo.size, memo.peek('c'), memo.peek('a')]).toEqual([2, 1, undefined]);
});

test('what is taken out while it is being made does not come back, and weighs nothing', async () => {
  const { memo, ask } = filled({ entries: 9, weight: { most: 10, of: (value) => value } });
  const [gone, failing] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  const first = memo.get('a', () => gone.promise);
  memo.delete('a');
  await ask('a', 4);
  gone.resolve(9);
  expect(await first).toBe(9);
  expect(memo.peek('a')).toBe(4);
  const second = memo.get('b', () => failing.promise);
  memo.delete('b');
  await ask('b', 6);
  failing.reject(new Error('away'));
  await expect(second).rejects.toThrow('away');
  expect([memo.size, memo.peek('b')]).toEqual([2, 6]);
});

test('who has more than the share makes room, the oldest of all those first; else the oldest of all', async () => {
  const { memo, askAll } = filled({ entries: 8, owners: { share: 0.25, of: (key) => key.toUpperCase() } });
  await askAll('xaAyzbBc');
  // Nobody has more than two.
  await askAll('u');
  expect(memo.peek('x')).toBeUndefined();
  const other = filled({ entries: 8, owners: { share: 0.25, of: (key) => (key < 'k' ? 'one' : 'two') } });
  const three = filled({ entries: 8, owners: { share: 0.25, of: (key) => (key < 'n' ? 'few' : 'many') } });
  await other.askAll('mabcnopq');
  await other.askAll('r');
  expect([other.memo.peek('m'), other.memo.peek('a')]).toEqual([undefined, 1]);
  await three.askAll('abopqrst');
  await three.askAll('u');
  expect([three.memo.peek('a'), three.memo.peek('o')]).toEqual([1, undefined]);
});
