import { expect, test, vi } from 'vitest';
import type { IncomingMessage } from './intake.ts';
import { MessageLines } from './message-lines.ts';

const MIB = 1024 * 1024;

function message(group: string, bytes: number): IncomingMessage {
  const body = Buffer.alloc(bytes);
  return { position: group, group, attributes: new Map(), key: null, headers: new Map(), body, timestampMs: null };
}

/** Lines in which so many messages of this size wait, all of one group. */
function waiting(count: number, bytes: number) {
  const lines = new MessageLines<IncomingMessage>();
  for (let n = 0; n < count; n++) lines.push(message('a', bytes));
  return lines;
}

test('large messages are taken in by no more than 2 MiB at once, and one that is larger than that goes alone', () => {
  expect(waiting(10, MIB / 2).next(0)).toHaveLength(3);
  expect(waiting(2, 3 * MIB).next(0)).toHaveLength(1);
});

test('headers count in what waits, and no more once their message is durable', () => {
  const headers = new Map(Array.from({ length: 10_000 }, (_, n) => [`header-${n}`, Buffer.alloc(1)]));
  const lines = new MessageLines<IncomingMessage>();
  for (let n = 0; n < 3; n++) lines.push({ ...message('a', 1), headers });
  const one = lines.bytes / 3;
  expect(one).toBeGreaterThan(10_000 * 100);
  const first = lines.next(0);
  // Two of them are more than is taken in at once.
  expect(first).toHaveLength(1);
  lines.done(first);
  expect(lines.bytes).toBe(2 * one);
  lines.done(lines.next(0));
  lines.done(lines.next(0));
  expect(lines.bytes).toBe(0);
});

test('what a message has is counted once, when it comes, whatever is asked for later', () => {
  const headers = new Map([['a', Buffer.from('b')]]);
  const counted = vi.spyOn(headers, Symbol.iterator);
  const lines = new MessageLines<IncomingMessage>();
  lines.push({ ...message('a', 1), headers });
  for (let n = 0; n < 3; n++) lines.next(0);
  lines.done(lines.next(0));
  expect(counted).toHaveBeenCalledTimes(1);
});

test('a line that was narrowed takes half as many, and twice as many again each time that it gets on', () => {
  const lines = waiting(100, 1);
  lines.narrow('a', 4, 50);
  expect(lines.next(49)).toEqual([]);
  const taken = [2, 4, 8].map(() => {
    const batch = lines.next(50);
    lines.done(batch);
    return batch.length;
  });
  expect(taken).toEqual([2, 4, 8]);
});

test('of a line that is away nothing more is given, nor is it waited for, and the others leave it its share', () => {
  const lines = waiting(2_000, 1);
  const first = lines.next(0);
  lines.takeAway(first);
  expect(lines.next(0)).toEqual([]);
  expect(lines.nextMs()).toBeNull();
  for (let n = 0; n < 2_000; n++) lines.push(message('b', 1));
  expect(lines.next(0)).toHaveLength(500);
  lines.done(first);
  lines.bringBack(first);
  expect(lines.next(0)).toHaveLength(1_000);
  // One that has gone meanwhile takes no share.
  const few = waiting(1, 1);
  const only = few.next(0);
  few.takeAway(only);
  few.done(only);
  few.bringBack(only);
  for (let n = 0; n < 2_000; n++) few.push(message('a', 1));
  expect(few.next(0)).toHaveLength(1_000);
});

test('what lines with little to give leave of a batch goes to those with more, wherever they stand, also while the former are away', () => {
  const lines = waiting(2_000, 1);
  for (let n = 0; n < 199; n++) lines.push(message(`few ${n}`, 1));
  const of = (batch: readonly IncomingMessage[]) => batch.filter(({ group }) => group === 'a').length;
  expect(of(lines.next(0))).toBe(801);
  lines.takeAway(lines.next(0, (group) => group !== 'a'));
  expect(of(lines.next(0))).toBe(801);
  for (let n = 0; n < 2_000; n++) lines.push(message('b', 1));
  const both = lines.next(0);
  expect(both).toHaveLength(801);
  expect(Math.abs(of(both) - 400)).toBeLessThan(2);
});

test('what is left is counted in bytes, too; where more is away than a share, the others are given theirs all the same, and no more', () => {
  const lines = waiting(10, MIB / 4);
  lines.push(message('b', 1));
  expect(lines.next(0)).toHaveLength(8);
  const away = lines.next(0, (group) => group === 'a');
  lines.takeAway(away);
  for (let n = 0; n < 10; n++) lines.push(message('b', MIB / 4));
  // Its half, though nearly all is away.
  expect(lines.next(0).map(({ group }) => group)).toEqual(Array.from({ length: 4 }, () => 'b'));
});
