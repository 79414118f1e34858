import { OVERHEAD_BYTES } from './message-bytes.ts';

type Bytes = Buffer | null;

/** A record as the client has read it: its parts are views into what came from the socket, or was inflated. */
export interface ReadRecord {
  /** In bytes, with all its parts. */
  readonly length: number;
  key: Bytes;
  value: Bytes;
  headers: [Bytes, Bytes][];
}

interface ReadBatch {
  readonly records: readonly ReadRecord[];
}

/** How many times as much memory messages may keep as is counted of them. */
const MOST_TIMES = 4;

/**
 * Has the records of a partition keep about as much memory as is counted of them. A view keeps all that it is a part of, often 64 KiB: a
 * hundred bytes that wait would keep as much. Where records fill what they are a part of nothing is copied.
 */
export function ownBytes(batches: readonly ReadBatch[]): void {
  if (keptBy(batches) <= countedOf(batches) * MOST_TIMES) return;
  let bytes = 0;
  for (const part of partsOf(batches)) bytes += part?.length ?? 0;
  // Of its own: small buffers are parts of one that they share.
  const own = Buffer.allocUnsafeSlow(bytes);
  let end = 0;
  const copied = (part: Bytes) => {
    if (part === null) return null;
    const start = end;
    end += part.length;
    own.set(part, start);
    return own.subarray(start, end);
  };
  for (const { records } of batches)
    for (const record of records) {
      record.key = copied(record.key);
      record.value = copied(record.value);
      record.headers = record.headers.map(([name, value]) => [copied(name), copied(value)]);
    }
}

/** By what the records say of themselves: enough to choose by. */
function countedOf(batches: readonly ReadBatch[]): number {
  let bytes = 0;
  for (const { records } of batches) for (const { length } of records) bytes += OVERHEAD_BYTES + length;
  return bytes;
}

/** What is kept where batches begin and end, in bytes: what lies between is theirs alone. */
function keptBy(batches: readonly ReadBatch[]): number {
  const wholes = new Set<ArrayBufferLike>();
  for (const { records } of batches)
    for (const record of [records[0], records.at(-1)]) {
      const whole = record && wholeOf(record);
      if (whole) wholes.add(whole);
    }
  let kept = 0;
  for (const { byteLength } of wholes) kept += byteLength;
  return kept;
}

/** What its parts are views into. Those that are empty are of nothing that came. */
function wholeOf({ key, value, headers }: ReadRecord): ArrayBufferLike | null {
  if (value !== null && value.length > 0) return value.buffer;
  if (key !== null && key.length > 0) return key.buffer;
  for (const header of headers) for (const part of header) if (part !== null && part.length > 0) return part.buffer;
  return null;
}

function* partsOf(batches: readonly ReadBatch[]): Iterable<Bytes> {
  for (const { records } of batches)
    for (const { key, value, headers } of records) {
      yield key;
      yield value;
      for (const header of headers) yield* header;
    }
}
