import { expect, test } from 'vitest';
import { count, fieldTime, isoTime, localTime, milliseconds, percent, span, zoneOf } from './format.ts';

test('a time is that of the reader’s zone, and a field gives it back', () => {
  const iso = '2024-03-14T10:30:07.000Z';
  expect(localTime(iso)).toMatch(/^2024-03-1[345] \d\d:\d\d:07$/);
  expect(isoTime(fieldTime(iso))).toBe(iso);
  expect(fieldTime(undefined)).toBe('');
  expect(fieldTime('soon')).toBe('');
  expect(isoTime('')).toBeUndefined();
  expect(localTime('never')).toBe('never');
  expect(zoneOf(new Date(iso))).toMatch(/^(GMT|UTC)([+-]\d{1,2}(:\d\d)?)?$/);
});

test('a share is never rounded up to all', () => {
  expect(percent(1)).toBe('100 %');
  expect(percent(0.99999)).toBe('99.99 %');
  expect(percent(0.57)).toBe('57 %');
  expect(percent(0)).toBe('0 %');
  expect(percent(null)).toBe('–');
});

test('numbers say their unit, and where counting ended', () => {
  expect([count(1234), count(100_000, true)]).toEqual(['1,234', '100,000 or more']);
  expect([milliseconds(999), milliseconds(15_000), milliseconds(null)]).toEqual(['999 ms', '15.0 s', '–']);
  expect([0, 5, 90, 300, 7200, 86_400].map(span)).toEqual(['0 s', '5 s', '90 s', '5 min', '2 h', '24 h']);
});
