import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressionsAlgorithms, Reader, readRecordsBatches } from '@platformatic/kafka';
import { afterEach, expect, test, vi } from 'vitest';
import { endAnswer, guardInflation, InflationError, MAX_INFLATED_BYTES, MAX_MESSAGES } from './guard-inflation.ts';

const deflate = {
  gzip: gzipSync,
  zstd: zstdCompressSync,
  lz4: compressionsAlgorithms.lz4.compressSync,
  snappy: compressionsAlgorithms.snappy.compressSync,
};
const names = ['gzip', 'zstd', 'lz4', 'snappy'] as const;
const inflate = (name: (typeof names)[number], data: Buffer) => compressionsAlgorithms[name].decompressSync(data);

guardInflation(compressionsAlgorithms, Reader);

afterEach(endAnswer);

test.each(names)(
  '%s: the batches of an answer are inflated up to the bound together, and the next answer anew',
  (name) => {
    const half = Buffer.alloc(MAX_INFLATED_BYTES / 2);
    const [first, last] = [deflate[name](half), deflate[name](Buffer.alloc(1))];
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

/** A batch of messages without key and value that have so many headers each, without name and value, compressed or not. */
function batchOf(messages: number, headersOfEach = 0, isCompressed = false): Buffer {
  // A length that nobody goes by, attributes, time, offset, no key, no value, headers.
  const head = [0x00, 0x00, 0x00, 0x00, 0x01, 0x01, ...varint(headersOfEach)];
  const message = Buffer.concat([Buffer.from(head), Buffer.alloc(2 * headersOfEach, 0x01)]);
  const all = Buffer.concat(Array(messages).fill(message));
  const records = isCompressed ? gzipSync(all) : all;
  const batch = Buffer.alloc(BATCH_HEAD);
  batch.writeBigInt64BE(100n, 0);
  batch.writeInt32BE(BATCH_HEAD - 12 + records.length, 8);
  batch.writeInt16BE(isCompressed ? 1 : 0, 21);
  batch.writeInt32BE(79, 23);
  batch.writeInt32BE(messages, 57);
  return Buffer.concat([batch, records]);
}

const BATCH_HEAD = 61;

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

const messagesOf = (batches: Buffer) => readRecordsBatches(Reader.from(batches)).flatMap(({ records }) => records);

/** What batches count as, besides their messages. */
const PLAIN = 1;
const COMPRESSED = 6;

test.each([
  [false, PLAIN],
  [true, COMPRESSED],
])(
  'messages are counted, compressed: %s, whatever lengths they say: the smallest take far more in memory than in a batch',
  (isCompressed, more) => {
    const most = MAX_MESSAGES - 2 * more - 1;
    const one = batchOf(1, 0, isCompressed);
    expect(messagesOf(batchOf(most, 0, isCompressed))).toHaveLength(most);
    expect(messagesOf(one)).toHaveLength(1);
    expect(() => messagesOf(one)).toThrow(InflationError);
    endAnswer();
    expect(messagesOf(one)).toHaveLength(1);
  },
);

test('headers are counted, four as a message', () => {
  const headers = 4 * (MAX_MESSAGES - 1 - COMPRESSED);
  expect(messagesOf(batchOf(1, headers, true))[0]!.headers).toHaveLength(headers);
  expect(() => messagesOf(batchOf(0))).toThrow(InflationError);
  endAnswer();
  expect(() => messagesOf(batchOf(1, headers + 1, true))).toThrow(InflationError);
});

test('batches are counted, those without messages too', () => {
  const empty = Buffer.concat(Array(MAX_MESSAGES).fill(batchOf(0)));
  expect(messagesOf(empty)).toEqual([]);
  expect(() => messagesOf(batchOf(0))).toThrow(InflationError);
});

test('the error says where the batch ends that was one too many', () => {
  messagesOf(batchOf(MAX_MESSAGES - 3 * PLAIN));
  messagesOf(batchOf(1));
  const thrown = vi.fn();
  try {
    messagesOf(batchOf(1));
  } catch (error) {
    thrown((error as InflationError).lastOffset);
  }
  expect(thrown.mock.calls).toEqual([[179n]]);
});

test('what is no such data is refused or left to the client as before', () => {
  expect(() => inflate('gzip', Buffer.from('no gzip'))).toThrow('incorrect header check');
  expect([...inflate('gzip', gzipSync(Buffer.from([0xff])))]).toEqual([0xff]);
});
