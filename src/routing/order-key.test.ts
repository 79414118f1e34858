import { expect, test } from 'vitest';
import { orderKey } from './order-key.ts';

test('deliveries of an endpoint in order have one key, those in the order of subjects one for each subject', () => {
  expect([orderKey('none', 'a'), orderKey('endpoint', 'a'), orderKey('endpoint', null)]).toEqual([null, 0, 0]);
  expect(orderKey('subject', 'order_1')).toBe(orderKey('subject', 'order_1'));
  expect(orderKey('subject', 'order_1')).not.toBe(orderKey('subject', 'order_2'));
  expect(orderKey('subject', null)).toBeNull();
});

test('keys are what they were: rows that wait are kept in order by them', () => {
  expect([orderKey('subject', 'order_1'), orderKey('subject', 'straße €')]).toEqual([184_036_158, -107_165_393]);
});
