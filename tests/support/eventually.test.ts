import { expect, test, vi } from 'vitest';
import { eventually } from './eventually.ts';

test('a question that is never answered is given up when the time is over', async () => {
  const ask = vi.fn(() => Promise.withResolvers<number>().promise);
  ask.mockImplementationOnce(async () => 7);
  await expect(eventually(ask, (answer) => answer === 8, 50)).rejects.toThrow('Still 7 after 50 ms');
  await expect(eventually(ask, () => true, 50)).rejects.toThrow('Still no answer after 50 ms');
}, 10_000);

test('an answer that satisfies ends it, and a question that fails as well', async () => {
  let asked = 0;
  expect(
    await eventually(
      async () => ++asked,
      (answer) => answer === 3,
    ),
  ).toBe(3);
  const broken = new Error('the table is gone');
  await expect(eventually(() => Promise.reject(broken), Boolean)).rejects.toBe(broken);
});
