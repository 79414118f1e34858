import { expect, test } from 'vitest';
import type { SourceMapping } from '../config/source-schema.ts';
import type { IncomingMessage } from './intake.ts';
import { readMessages } from './read-messages.ts';

function message(bytes: number): IncomingMessage {
  const body = Buffer.from(JSON.stringify({ type: 'a', data: 'x'.repeat(bytes) }));
  return { position: '', group: '', attributes: new Map(), key: null, headers: new Map(), body, timestampMs: null };
}

/** How many turns others had while these were read. */
async function turnsWhile(
  messages: readonly IncomingMessage[],
  mapping: SourceMapping = { format: 'envelope' },
): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = () => {
    if (isOver) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  const read = await readMessages(messages, mapping, 1_000_000);
  isOver = true;
  expect(read).toHaveLength(messages.length);
  expect(read.every(({ ok }) => ok)).toBe(true);
  return turns;
}

test('others have a turn between large messages of a batch, and none between small ones', async () => {
  expect(await turnsWhile(Array.from({ length: 4 }, () => message(300_000)))).toBeGreaterThanOrEqual(3);
  expect(await turnsWhile(Array.from({ length: 400 }, () => message(100)))).toBe(0);
});

test('keys and headers count as bodies do', async () => {
  const large = Buffer.from('x'.repeat(300_000));
  const small = { ...message(1), headers: new Map([['h', Buffer.from('x')]]), key: Buffer.from('x') };
  const four = (more: Partial<IncomingMessage>) => Array.from({ length: 4 }, () => ({ ...small, ...more }));
  const mapping: SourceMapping = { format: 'mapped', type: 'const:a', subject: 'key', data: 'header:h' };
  expect(await turnsWhile(four({ headers: new Map([['h', large]]) }), mapping)).toBeGreaterThanOrEqual(3);
  expect(await turnsWhile(four({ key: large }), mapping)).toBeGreaterThanOrEqual(3);
  expect(await turnsWhile(four({}), mapping)).toBe(0);
});
