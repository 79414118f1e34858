import { expect, test } from 'vitest';
import { type ScanStep, scanPage } from './bounded-scan.ts';

/** A list of numbers from 999 down, of which those that `matches` likes are rows. */
const listOf = (matches: (n: number) => boolean) => async (after: number | null, size: number) => {
  const start = after ?? 1_000;
  const looked = Array.from({ length: Math.min(size, start) }, (_, i) => start - 1 - i);
  return { rows: looked.filter(matches), resume: looked.length < size ? null : looked.at(-1)! };
};

const positionOf = (n: number) => n;

test.each([1, 7, 50])('pages of %i give every row once and in order, and the last one ends the list', async (limit) => {
  const step = listOf((n) => n % 7 === 0);
  const rows: number[] = [];
  for (let after: number | null = null; ; ) {
    const page: ScanStep<number, number> = await scanPage<number, number>({ after, limit, step, positionOf });
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    rows.push(...page.rows);
    if (page.resume === null) break;
    after = page.resume;
  }
  expect(rows).toEqual(Array.from({ length: 143 }, (_, i) => 994 - 7 * i));
});

test('a search that finds nothing ends its page in bounded time with a place to go on', async () => {
  let looks = 0;
  const step = async (after: number | null) => {
    looks++;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { rows: [], resume: (after ?? 0) + 1 };
  };
  const page = await scanPage<number, number>({ after: null, limit: 10, step, positionOf });
  expect(page).toEqual({ rows: [], resume: looks });
});
