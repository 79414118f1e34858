import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { compressionsAlgorithms, Reader } from '@platformatic/kafka';
import { lz4Size, snappySize } from './inflated-size.ts';

const MIB = 1024 * 1024;

/** What the batches of one answer may be together once they are inflated. Brokers bound only what they are before, and a megabyte may become a thousand. */
export const MAX_INFLATED_BYTES = 64 * MIB;
/**
 * How many messages one answer may have, compressed or not: the smallest have a few bytes, but take hundreds in memory. A header counts as
 * a quarter of a message and a batch as one. A compressed batch counts as five more, because each is inflated by itself.
 */
export const MAX_MESSAGES = 500_000;
const HEADER = 1;
const MESSAGE = 4;
const BATCH = 4;
const COMPRESSED = 20;

/** An answer is more than is taken into memory. */
export class InflationError extends Error {
  /** Read by the client: the same answer would be as large again. */
  readonly canRetry = false;
  /** Of the batch that was one too many; null where none had begun. */
  readonly lastOffset: bigint | null;

  constructor() {
    super(
      `the broker's answer is more than ${MAX_INFLATED_BYTES / MIB} MiB when it is inflated, or ${MAX_MESSAGES} messages, of which four headers are one`,
    );
    this.lastOffset = lastOffsetOf(answer.batch);
  }
}

/** What was read of the answer that is being read: the client reads each in one go. */
const answer: { bytes: number; weight: number; batch: Batch | null } = { bytes: 0, weight: 0, batch: null };

/** Where a batch begins. */
interface Batch {
  readonly reader: Reader;
  readonly at: number;
}

/** Of a batch's head (Kafka's documentation, 5.3.1): bytes before its length, and before the number by which its last offset is more than its first. */
const LENGTH_AT = 8;
const LAST_OFFSET_DELTA_AT = 23;

function lastOffsetOf(batch: Batch | null): bigint | null {
  if (batch === null) return null;
  const { reader, at } = batch;
  return reader.peekInt64(at) + BigInt(reader.buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT));
}

/** To be called when an answer has been read, whatever came of it. */
export function endAnswer(): void {
  answer.bytes = 0;
  answer.weight = 0;
  answer.batch = null;
}

type Algorithms = typeof compressionsAlgorithms;
type Data = Parameters<Algorithms['gzip']['decompressSync']>[0];

const guarded = new WeakSet<object>();

/**
 * Has the client throw an `InflationError` in reading an answer that is too large once it is inflated. To be called wherever messages are
 * read; calls of `endAnswer` say where one answer ends and the next begins.
 * @param algorithms the client's own, which it goes by
 * @param reader its class of what is read
 */
export function guardInflation(algorithms: Algorithms, reader: typeof Reader): void {
  if (guarded.has(algorithms)) return;
  guarded.add(algorithms);
  countMessages(reader.prototype);
  noteBatches(reader.prototype);
  const { lz4, snappy } = algorithms;
  const plain = (data: Data) =>
    data instanceof Uint8Array ? Buffer.from(data.buffer, data.byteOffset, data.length) : data.buffer;
  const [inflateLz4, inflateSnappy] = [lz4.decompressSync, snappy.decompressSync];
  const inflate = {
    gzip: (data: Data) => gunzipSync(plain(data), { maxOutputLength: left() }),
    zstd: (data: Data) => zstdDecompressSync(plain(data), { maxOutputLength: left() }),
    // These two take no bound, and do not give back the memory that they once took.
    lz4: (data: Data) => inflateLz4(bounded(plain(data), lz4Size)),
    snappy: (data: Data) => inflateSnappy(bounded(plain(data), snappySize)),
  };
  for (const name of ['gzip', 'zstd', 'lz4', 'snappy'] as const) {
    Object.assign(algorithms[name], { decompressSync: (data: Data) => counted(() => inflate[name](data)) });
  }
}

function bounded(data: Buffer, sizeOf: (data: Buffer) => number): Buffer {
  if (sizeOf(data) > left()) throw new InflationError();
  return data;
}

/** Zlib wants a bound of a byte at least. */
const left = () => Math.max(1, MAX_INFLATED_BYTES - answer.bytes);

function counted(inflate: () => Buffer): Buffer {
  count(COMPRESSED);
  try {
    const records = inflate();
    answer.bytes += records.length;
    if (answer.bytes <= MAX_INFLATED_BYTES) return records;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
  }
  throw new InflationError();
}

type ReadArray = Reader['readVarIntArray'];

/** Each message has one such array, of its headers, and nothing else has: whatever lengths a peer says, what the client makes is counted as it makes it. */
function countMessages(reader: Reader): void {
  const readArray = reader.readVarIntArray;
  reader.readVarIntArray = function (this: Reader, readOne: Parameters<ReadArray>[0]) {
    count(MESSAGE);
    return readArray.call(this, (from, index) => {
      count(HEADER);
      return readOne(from, index);
    });
  } as ReadArray;
}

/** The client looks ahead for the length of each batch, and for nothing else. */
function noteBatches(reader: Reader): void {
  const peek = reader.peekInt32;
  reader.peekInt32 = function (this: Reader, position?: number) {
    if (position !== undefined) {
      answer.batch = { reader: this, at: position - LENGTH_AT };
      count(BATCH);
    }
    return peek.call(this, position);
  };
}

function count(weight: number): void {
  answer.weight += weight;
  if (answer.weight > MAX_MESSAGES * MESSAGE) throw new InflationError();
}
