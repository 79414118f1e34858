import { expect, test } from 'vitest';
import type { Decision } from '../domain/outcome.ts';
import { noticeOf } from './notice-of.ts';

const body = (type: string, id = 'evt_1', data: unknown = {}) =>
  Buffer.from(JSON.stringify({ id, type, version: '1.0', data }));
const ordinary = body('order.created');
const retry: Decision = { kind: 'retry', delayMs: 1 };
const dead: Decision = { kind: 'dead_letter' };
const disable: Decision = { kind: 'disable', reason: '' };

test('a delivery is failing from the fourth failure of its schedule on', () => {
  const told = Array.from({ length: 10 }, (_, step) => noticeOf(retry, step, ordinary));
  expect(told).toEqual([...Array(3).fill(null), ...Array(7).fill('delivery.failing')]);
});

test('a dead letter is told of whatever made it one, and however few attempts there were', () => {
  for (const decision of [dead, disable])
    for (const step of [0, 3, 9]) expect(noticeOf(decision, step, ordinary)).toBe('delivery.dead_lettered');
});

test('what succeeds, is cancelled or is put off for a fault of our own is not told of', () => {
  const others: Decision[] = [{ kind: 'done' }, { kind: 'cancel' }, { kind: 'postpone', delayMs: 1 }];
  for (const decision of others) expect(noticeOf(decision, 9, ordinary)).toBeNull();
});

test('nothing is told of deliveries of system events, however long their id and wherever their bytes lie', () => {
  const events = ['system', 'system.delivery.failing', 'system.x'].map((type) => body(type, 'x'.repeat(256)));
  for (const event of events) {
    const within = new Uint8Array([...Buffer.from('{"id":"'), ...event, 0]).subarray(7, 7 + event.length);
    for (const decision of [retry, dead, disable]) {
      expect(noticeOf(decision, 5, event)).toBeNull();
      expect(noticeOf(decision, 5, within)).toBeNull();
    }
  }
});

test('a producer cannot have its dead letters passed over by writing of system events in its own', () => {
  const impostors = [
    body('systematic'),
    body('x.system.y'),
    body('order', 'system'),
    body('order', 'a', '{"id":"a","type":"system.x"'),
    Buffer.from('{}'),
    Buffer.alloc(0),
  ];
  for (const event of impostors) expect(noticeOf(dead, 0, event)).toBe('delivery.dead_lettered');
});
