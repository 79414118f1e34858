import { expect, test } from 'vitest';
import { retentionProblem, retrySchedule, wholeSchedule } from './retry-schedule-input.ts';

test('the first attempt is made at once, whatever the list begins with', () => {
  expect(wholeSchedule([5, 10])).toEqual([0, 5, 10]);
  expect(wholeSchedule([0, 5])).toEqual([0, 5]);
  expect(wholeSchedule([0])).toEqual([0]);
});

test('a schedule that was read can be written again and stays what it is', () => {
  const once = retrySchedule.parse(Array.from({ length: 19 }, (_, i) => i + 1))!;
  expect(once).toHaveLength(20);
  expect(retrySchedule.parse(once)).toEqual(once);
});

test('the 0 that is put in front counts among the attempts', () => {
  expect(retrySchedule.safeParse(Array(20).fill(0)).success).toBe(true);
  expect(retrySchedule.safeParse(Array(20).fill(1)).success).toBe(false);
});

test('equal delays follow each other; a shorter one is told where it stands', () => {
  expect(retrySchedule.parse([0, 5, 5])).toEqual([0, 5, 5]);
  expect(retrySchedule.safeParse([0, 9, 5, 7, 6]).error?.issues.map((issue) => issue.path)).toEqual([[2], [4]]);
});

test('null stands for the default', () => {
  expect(retrySchedule.parse(null)).toBeNull();
});

test('the last attempt is made a day before the event is dropped', () => {
  expect(retentionProblem([0, 4 * 86_400 - 1], 5)).toBeNull();
  expect(retentionProblem([0, 4 * 86_400], 5)).toMatch(/kept for 5 days/);
});
