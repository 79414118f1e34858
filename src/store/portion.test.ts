import { expect, test } from 'vitest';
import { Portion } from './portion.ts';

const failure = (code: string) => Object.assign(new Error('planted'), { code });

/** What each of so many runs is about, where statements about more than `atMost` take too long. */
async function sizesOf(portion: Portion, runs: number, atMost: number): Promise<number[]> {
  const tried: number[] = [];
  for (let n = 0; n < runs; n++) {
    await portion.run(async (size) => {
      tried.push(size);
      if (size > atMost) throw failure('57014');
    });
  }
  return tried;
}

test('what takes too long is tried with half as many, and after many that ended in time with more again, and never with more than at first', async () => {
  const portion = new Portion(100);
  expect(await sizesOf(portion, 1, 30)).toEqual([100, 50, 25]);
  const sizes = await sizesOf(portion, 60, 100);
  expect([...new Set(sizes)]).toEqual([25, 50, 100]);
  expect(sizes.filter((size) => size < 100)).toHaveLength(31);
});

test('where others are in the way it is tried again with as many', async () => {
  const portion = new Portion(100);
  const codes = ['55P03', '40P01'];
  const tried: number[] = [];
  await portion.run(async (size) => {
    tried.push(size);
    const code = codes.shift();
    if (code !== undefined) throw failure(code);
  });
  expect(tried).toEqual([100, 100, 100]);
});

test('a single one that takes too long fails, as does what has another reason', async () => {
  await expect(sizesOf(new Portion(4), 1, 0)).rejects.toMatchObject({ code: '57014' });
  const broken = new Portion(4).run(async () => Promise.reject(failure('08006')));
  await expect(broken).rejects.toMatchObject({ code: '08006' });
});
