import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { afterEach, expect, test } from 'vitest';
import {
  endAnswer,
  guardInflation,
  InflationError,
  MAX_INFLATED_BYTES,
  MAX_INFLATED_MESSAGES,
} from './guard-inflation.ts';

const deflate = {
  gzip: gzipSync,
  zstd: zstdCompressSync,
  lz4: compressionsAlgorithms.lz4.compressSync,
  snappy: compressionsAlgorithms.snappy.compressSync,
};
const names = ['gzip', 'zstd', 'lz4', 'snappy'] as const;
const inflate = (name: (typeof names)[number], data: Buffer) => compressionsAlgorithms[name].decompressSync(data);

guardInflation(compressionsAlgorithms);

afterEach(endAnswer);

/** A record of so many bytes with its length, as a batch has it. */
function record(bytes: number): Buffer {
  const length: number[] = [];
  let rest = bytes * 2;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) length.push((rest % 128) | 0x80);
  return Buffer.concat([Buffer.from([...length, rest]), Buffer.alloc(bytes)]);
}

test.each(names)(
  '%s: the batches of an answer are inflated up to the bound together, and the next answer anew',
  (name) => {
    const half = record(MAX_INFLATED_BYTES / 2 - 10);
    const [first, last] = [deflate[name](half), deflate[name](record(100))];
    for (let answers = 0; answers < 2; answers++) {
      expect(inflate(name, first).equals(half)).toBe(true);
      expect(inflate(name, first).length).toBe(half.length);
      expect(() => inflate(name, last)).toThrow(InflationError);
      endAnswer();
    }
  },
);

test.each(['gzip', 'zstd'] as const)('%s: what is too large by itself is not inflated to its end', (name) => {
  const bomb = deflate[name](Buffer.alloc(8 * MAX_INFLATED_BYTES));
  const before = process.memoryUsage().arrayBuffers;
  expect(() => inflate(name, bomb)).toThrow(InflationError);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * MAX_INFLATED_BYTES);
});

test.each([
  // A frame whose head is damaged: inflated, it would be refused for that.
  ['lz4', () => Buffer.from(deflate.lz4(Buffer.alloc(4 * MAX_INFLATED_BYTES))).fill(0xff, 6, 7)],
  // Seven bytes that say that two thousand million come of them.
  ['snappy', () => Buffer.from([0x80, 0x80, 0x80, 0xe8, 0x07, 0x00, 0x61])],
] as const)('%s: what is too large by itself is refused before any of it is inflated', (name, bomb) => {
  expect(() => inflate(name, bomb())).toThrow(InflationError);
});

test('messages are counted too: the smallest take far more in memory than in a batch', () => {
  const batch = (count: number) => gzipSync(Buffer.concat(Array(count).fill(record(6))));
  expect(inflate('gzip', batch(MAX_INFLATED_MESSAGES - 1)).length).toBe((MAX_INFLATED_MESSAGES - 1) * 7);
  expect(inflate('gzip', batch(1)).length).toBe(7);
  expect(() => inflate('gzip', batch(1))).toThrow(InflationError);
});

test('long lengths are read as the client reads them', () => {
  const batch = Buffer.concat([record(70_000), record(20), record(300)]);
  expect(inflate('lz4', Buffer.from(deflate.lz4(batch))).equals(batch)).toBe(true);
  endAnswer();
  // As many as fit besides these three.
  inflate('gzip', gzipSync(batch));
  inflate('gzip', gzipSync(Buffer.concat(Array(MAX_INFLATED_MESSAGES - 3).fill(record(6)))));
  expect(() => inflate('gzip', gzipSync(record(6)))).toThrow(InflationError);
});

test('what is no such data, or ends in the midst of a length, is refused or left to the client as before', () => {
  expect(() => inflate('gzip', Buffer.from('no gzip'))).toThrow('incorrect header check');
  for (const bytes of [[], [0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x7f, 1]])
    expect([...inflate('gzip', gzipSync(Buffer.from(bytes)))]).toEqual(bytes);
});
