/** What lz4 and snappy data is once it is inflated, in bytes, found without inflating it. What is malformed counts as far as it can be read. */

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD = 16;

/** Of snappy, bare or in the frames of xerial: each says its size in front, as a varint. */
export function snappySize(data: Buffer): number {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return varintAt(data, 0);
  let size = 0;
  for (let at = XERIAL_HEAD; at + 4 <= data.length; at += 4 + data.readUInt32BE(at)) size += varintAt(data, at + 4);
  return size;
}

function varintAt(data: Buffer, from: number): number {
  let value = 0;
  for (let at = from, unit = 1; at < data.length && at < from + 5; at++, unit *= 128) {
    value += (data[at]! & 0x7f) * unit;
    if (data[at]! < 0x80) break;
  }
  return value;
}

/** Of the flags in a frame's head (LZ4 frame format 1.6.4). */
const HAS_BLOCK_CHECKSUMS = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_DICTIONARY = 0x01;
/** Of a block's length: it is not compressed. */
const IS_PLAIN = 0x80000000;

/** Of a frame of lz4, as the sum of its blocks. */
export function lz4Size(data: Buffer): number {
  const flags = data[4] ?? 0;
  const head = 7 + ((flags & HAS_CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & HAS_DICTIONARY) === 0 ? 0 : 4);
  const tail = (flags & HAS_BLOCK_CHECKSUMS) === 0 ? 0 : 4;
  let size = 0;
  for (let at = head; at + 4 <= data.length; ) {
    const word = data.readUInt32LE(at);
    const length = word % IS_PLAIN;
    if (length === 0) break;
    at += 4;
    size += word >= IS_PLAIN ? length : blockSize(data.subarray(at, at + length));
    at += length + tail;
  }
  return size;
}

/** Of one block: sequences of literals and a match, each length 15 and more in as many bytes as it takes. */
function blockSize(block: Buffer): number {
  let size = 0;
  for (let at = 0; at < block.length; ) {
    const token = block[at++]!;
    const literals = lengthAt(block, at, token >> 4);
    at = literals.end + literals.length;
    size += literals.length;
    if (at >= block.length) break;
    const match = lengthAt(block, at + 2, token & 0x0f);
    at = match.end;
    size += match.length + 4;
  }
  return size;
}

function lengthAt(block: Buffer, from: number, nibble: number): { readonly length: number; readonly end: number } {
  let length = nibble;
  let at = from;
  if (nibble < 15) return { length, end: at };
  let byte: number;
  do {
    byte = block[at++] ?? 0;
    length += byte;
  } while (byte === 255);
  return { length, end: at };
}
