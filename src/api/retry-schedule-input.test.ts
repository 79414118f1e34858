import { expect, test } from 'vitest';
import { defaultSchedule } from '../delivery/retry-policy.ts';
import { Refusal } from '../domain/errors.ts';
import { refuseLongSchedule, retrySchedule, wholeSchedule } from './retry-schedule-input.ts';

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

const DAY = 86_400;

test('the last attempt is made a day before the event is dropped, however chance spreads the delays', () => {
  expect(() => refuseLongSchedule([0, 4 * 72_000 - 1], [], 5)).not.toThrow();
  expect(refusalOf(() => refuseLongSchedule([0, 4 * 72_000], [], 5))).toMatchObject({
    status: 422,
    faults: [{ path: 'retry_schedule', message: expect.stringMatching(/less than 288000 .* kept for 5 days/) }],
  });
  expect(() => refuseLongSchedule([0, 24 * DAY], [], 30)).not.toThrow();
  expect(() => refuseLongSchedule([0, 25 * DAY], [], 30)).toThrow(Refusal);
});

test('the default schedule may be written out where events are kept for the fewest days', () => {
  expect(() =>
    refuseLongSchedule(
      defaultSchedule.map((ms) => ms / 1000),
      [],
      5,
    ),
  ).not.toThrow();
});

test('an endpoint that has a longer schedule may keep it, and get no other one that is too long', () => {
  const has = [0, 25 * DAY];
  expect(() => refuseLongSchedule([0, 25 * DAY], has, 30)).not.toThrow();
  expect(() => refuseLongSchedule(undefined, has, 30)).not.toThrow();
  expect(() => refuseLongSchedule([0, 24 * DAY + 86_000], has, 30)).toThrow(Refusal);
});

function refusalOf(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return null;
}
