import { expect, test } from 'vitest';
import { UnreadDue } from './unread-due.ts';

const ALL = { isComplete: true, isWhole: true };

test('nothing is unread once a read has brought all that was due, and all of it was admitted', () => {
  const unread = new UnreadDue(0);
  unread.fetchBegins();
  unread.fetched(ALL);
  expect([unread.hasAny, unread.readAt]).toEqual([true, 0]);
  unread.admitted(5, false);
  expect([unread.hasAny, unread.readAt]).toEqual([false, 5]);
});

test('a read during which rows were left in the table does not show that none is left', () => {
  const unread = new UnreadDue(0);
  unread.fetchBegins();
  unread.fellBehind();
  unread.fetched(ALL);
  unread.admitted(5, false);
  expect(unread.hasAny).toBe(true);
  unread.fetchBegins();
  unread.fetched(ALL);
  unread.admitted(6, false);
  expect(unread.hasAny).toBe(false);
});

test('while a read from the start is owed, rows before the cursor may be unread', () => {
  const unread = new UnreadDue(0);
  unread.fetched(ALL);
  unread.admitted(5, true);
  expect(unread.hasAny).toBe(true);
});

test('rows of tenants that have their full share of memory are unread, but nobody waits for them to be read', () => {
  const unread = new UnreadDue(0);
  unread.fetched({ isComplete: false, isWhole: true });
  unread.admitted(5, false);
  expect([unread.hasAny, unread.readAt]).toEqual([true, 5]);
});
