import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { gatherLines } from './gather-lines.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('lines go out in order and whole, many of them in one block', () => {
  const blocks: string[] = [];
  const { write, drain } = gatherLines((block) => blocks.push(block));
  const lines = Array.from({ length: 1_000 }, (_, i) => `{"n":${i}}\n`);
  for (const line of lines) write(line);
  drain();
  expect(blocks.join('')).toBe(lines.join(''));
  expect(blocks.length).toBeLessThan(10);
  for (const block of blocks) expect(block.endsWith('\n')).toBe(true);
});

test('a line that nobody follows goes out by itself, once', () => {
  const blocks: string[] = [];
  const { write, drain } = gatherLines((block) => blocks.push(block));
  write('a\n');
  expect(blocks).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(blocks).toEqual(['a\n']);
  drain();
  vi.advanceTimersByTime(1_000);
  expect(blocks).toEqual(['a\n']);
});
