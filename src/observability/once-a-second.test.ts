import { afterEach, expect, test, vi } from 'vitest';
import { OnceASecond } from './once-a-second.ts';

afterEach(() => {
  vi.useRealTimers();
});

function stage(): OnceASecond {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  return new OnceASecond();
}

test('each may say something at once, and then once a second', () => {
  const quiet = stage();
  expect([quiet.may('one'), quiet.may('one'), quiet.may('other')]).toEqual([true, false, true]);
  vi.advanceTimersByTime(999);
  expect(quiet.may('one')).toBe(false);
  vi.advanceTimersByTime(1);
  expect([quiet.may('one'), quiet.may('other')]).toEqual([true, true]);
});

test('a clock of the host that is set back silences nobody', () => {
  const quiet = stage();
  quiet.may('one');
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(1_000);
  expect(quiet.may('one')).toBe(true);
});

test('a clock of the host that is set ahead lets nobody say more', () => {
  const quiet = stage();
  quiet.may('one');
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(quiet.may('one')).toBe(false);
});
