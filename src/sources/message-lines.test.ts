import { expect, test } from 'vitest';
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
