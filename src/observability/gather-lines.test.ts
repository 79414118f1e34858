import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { gatherLines } from './gather-lines.ts';

/** Where a file's lines go, and what is in the file. */
function lineFile() {
  const path = join(mkdtempSync(join(tmpdir(), 'posthorn-lines-')), 'log');
  const destination = gatherLines(pino.destination({ fd: openSync(path, 'w'), sync: false, minLength: 8_192 }));
  return { destination, written: () => readFileSync(path, 'utf8') };
}

const flushed = (destination: { flush(callback: () => void): void }) =>
  new Promise<void>((resolve) => destination.flush(resolve));

test('every line is written once, whole and in order, whoever writes it and however many wait', async () => {
  const { destination, written } = lineFile();
  const log = pino({ base: null, timestamp: false }, destination);
  const expected: string[] = [];
  for (let n = 0; n < 500; n++) {
    const line = `{"n":${n},"text":"${'é'.repeat(n % 90)}"}\n`;
    destination.write(line);
    log.info({ n });
    expected.push(line, `{"level":30,"n":${n}}\n`);
  }
  await flushed(destination);
  expect(written()).toBe(expected.join(''));
});

test('a few lines do not wait for more when they are to be flushed', async () => {
  const { destination, written } = lineFile();
  destination.write('one\n');
  expect(written()).toBe('');
  await flushed(destination);
  expect(written()).toBe('one\n');
  destination.write('two\n');
  destination.flushSync();
  expect(written()).toBe('one\ntwo\n');
});

test('lines come to their destination in blocks of bounded size, not one by one', () => {
  const blocks: string[] = [];
  const destination = gatherLines({ write: (block) => blocks.push(block) > 0, flush() {}, flushSync() {} });
  for (let n = 0; n < 1_000; n++) destination.write(`${'x'.repeat(199)}\n`);
  destination.flushSync();
  expect(blocks.join('')).toHaveLength(200_000);
  expect(blocks.length).toBeLessThan(30);
  expect(Math.max(...blocks.map((block) => block.length))).toBeLessThan(8_192 + 200);
});
