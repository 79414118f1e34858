import { expect, test } from 'vitest';
import { isRfc3339 } from '../ingest/event-input.ts';
import { dateTime, dateTimeText, isBefore, timeMs } from './time-query.ts';

// Events are accepted at whole milliseconds: those at or after a time, and those before it, are told apart by the next whole one.
test.each([
  ['2024-03-14T10:30:00Z', '2024-03-14T10:30:00.000Z'],
  ['2024-03-14T10:30:00.12Z', '2024-03-14T10:30:00.120Z'],
  ['2024-03-14T10:30:00.123000Z', '2024-03-14T10:30:00.123Z'],
  ['2024-03-14T10:30:00.123001Z', '2024-03-14T10:30:00.124Z'],
  ['2024-03-14T10:30:00.123999999+02:00', '2024-03-14T08:30:00.124Z'],
  ['2024-03-14T23:59:59.9990001-01:00', '2024-03-15T01:00:00.000Z'],
  ['2024-03-14t10:30:00z', '2024-03-14T10:30:00.000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2016-12-31t23:59:60.5000001z', '2017-01-01T00:00:00.501Z'],
  ['2024-03-14T10:30Z', '2024-03-14T10:30:00.000Z'],
  ['2024-03-14T10:30:00.1234567891234+00:00', '2024-03-14T10:30:00.124Z'],
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
  ['2016-12-31T23:59:59.9Z', '2016-12-31T23:59:60Z'],
])('%s is before %s, and not the other way round', (one, other) => {
  expect([isBefore(one, other), isBefore(other, one)]).toEqual([true, false]);
});

test.each([
  ['2024-03-14T10:30:00Z', '2024-03-14T12:30:00.000000+02:00'],
  ['2016-12-31T23:59:60Z', '2017-01-01t01:00:00+01:00'],
  ['2024-03-14T10:30:00.1234Z', '2024-03-14T10:30:00.12340Z'],
])('%s and %s are the same', (one, other) => {
  expect([isBefore(one, other), isBefore(other, one)]).toEqual([false, false]);
});

test.each([
  '2024-03-14t10:30:00z',
  '2024-02-29T23:59:60Z',
  '2024-03-14T10:30:00.123456789+05:30',
  '2024-03-14T10:30:00-23:59',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:60.999999999-23:59',
])('%s is a time to a list and to a body as it is to an event, and within what events have', (text) => {
  expect([isRfc3339(text), dateTimeText.safeParse(text).success]).toEqual([true, true]);
  expect(dateTime.parse(text)).toBeGreaterThanOrEqual(0);
  expect(dateTime.parse(text)).toBeLessThan(2 ** 48);
});

test.each([
  '2024-03-14',
  '2024-03-14T10:30',
  '2024-03-14T10:30:00',
  '2024-03-14 10:30:00Z',
  '2023-02-29T00:00:00Z',
  '2024-03-14T10:60Z',
  '2024-03-14T10:30:61Z',
  '2024-03-14T10:30:00.Z',
  '2024-03-14T10:30:00+24:00',
  '2024-03-14T10:30:00Z\n',
  '20240314T103000Z',
])('%j is no time', (text) => {
  expect([dateTime.safeParse(text).success, dateTimeText.safeParse(text).success]).toEqual([false, false]);
});

test('a time of more characters than anybody writes is none, and is not looked into', () => {
  const long = `2024-03-14T10:30:00.${'0'.repeat(100_000)}1Z`;
  expect([dateTime.safeParse(long).success, dateTimeText.safeParse(long).success]).toEqual([false, false]);
});
