import { expect, test } from 'vitest';
import { topStatements } from './statement-stats.ts';

const stat = (id: string, calls: number, execMs: number) => ({
  id,
  text: `SELECT\n  ${id}`,
  calls,
  rows: 3 * calls,
  execMs,
});

test('statements are counted from the first reading to the second, those that took the most time first', () => {
  const before = [stat('a', 10, 5), stat('b', 4, 1)];
  const after = [stat('a', 10, 5), stat('b', 8, 2), stat('c', 2, 4)];
  expect(topStatements(before, after, 4)).toEqual([
    { text: 'SELECT c', calls: 0.5, rows: 1.5, us: 1_000 },
    { text: 'SELECT b', calls: 1, rows: 3, us: 250 },
  ]);
});
