import { expect, test } from 'vitest';
import { dateTime, isBefore, timeMs } from './time-query.ts';

// Events are accepted at whole milliseconds: those at or after a time, and those before it, are told apart by the next whole one.
test.each([
  ['2024-03-14T10:30:00Z', '2024-03-14T10:30:00.000Z'],
  ['2024-03-14T10:30:00.12Z', '2024-03-14T10:30:00.120Z'],
  ['2024-03-14T10:30:00.123000Z', '2024-03-14T10:30:00.123Z'],
  ['2024-03-14T10:30:00.123001Z', '2024-03-14T10:30:00.124Z'],
  ['2024-03-14T10:30:00.123999999+02:00', '2024-03-14T08:30:00.124Z'],
  ['2024-03-14T23:59:59.9990001-01:00', '2024-03-15T01:00:00.000Z'],
])('%s divides events as it says, finer than a millisecond too', (text, expected) => {
  const ms = Date.parse(expected);
  expect([dateTime.parse(text), timeMs(text)]).toEqual([ms, ms]);
});

test.each([
  ['2024-03-14T10:30:00Z', '2024-03-14T10:30:01Z'],
  ['2024-03-14T12:30:00+02:00', '2024-03-14T10:30:00.001Z'],
  ['2024-03-14T10:30:00Z', '2024-03-14T10:30:00.0000001Z'],
  ['2024-03-14T10:30:00.1230001Z', '2024-03-14T10:30:00.1230009Z'],
  ['2024-03-14T10:30:00.1230009Z', '2024-03-14T10:30:00.12301Z'],
  ['2024-03-14T10:30:00.1239Z', '2024-03-14T10:30:00.124Z'],
])('%s is before %s, and not the other way round', (one, other) => {
  expect([isBefore(one, other), isBefore(other, one)]).toEqual([true, false]);
});

test.each([
  ['2024-03-14T10:30:00Z', '2024-03-14T12:30:00.000000+02:00'],
  ['2024-03-14T10:30:00.1234Z', '2024-03-14T10:30:00.12340Z'],
])('%s and %s are the same', (one, other) => {
  expect([isBefore(one, other), isBefore(other, one)]).toEqual([false, false]);
});
