import { compressionsAlgorithms } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lz4Size, snappySize } from './inflated-size.ts';

const { lz4, snappy } = compressionsAlgorithms;

/** Bytes that compress well, badly, and in turns. Never none: the library, whose memory has just grown, fails at that, and no batch of records is empty. */
const contents = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 5_000 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 200_000 })).map(([byte, count]) => Buffer.alloc(count, byte)),
      fc.string({ maxLength: 300 }).chain((text) => fc.nat({ max: 300 }).map((n) => Buffer.from(text.repeat(n)))),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => Buffer.concat(parts))
  .filter(({ length }) => length > 0);

test.each([
  ['lz4', lz4.compressSync, lz4Size],
  ['snappy', snappy.compressSync, snappySize],
] as const)('%s: the size is what comes of inflating it', (_name, deflate, sizeOf) => {
  fc.assert(
    fc.property(contents, (data) => {
      expect(sizeOf(Buffer.from(deflate(data)))).toBe(data.length);
    }),
    { numRuns: 200 },
  );
});

test('chunks of xerial are summed up', () => {
  const chunks = [Buffer.alloc(70_000), Buffer.from('abc')].map((data) => Buffer.from(snappy.compressSync(data)));
  const head = Buffer.concat([Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]), Buffer.alloc(8)]);
  const framed = chunks.flatMap((chunk) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    return [length, chunk];
  });
  const data = Buffer.concat([head, ...framed]);
  expect(snappySize(data)).toBe(70_003);
  expect(snappy.decompressSync(data).length).toBe(70_003);
});

test('whatever the bytes are, a size comes of them soon', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(lz4Size(Buffer.from(bytes))).toBeGreaterThanOrEqual(0);
      expect(snappySize(Buffer.from(bytes))).toBeGreaterThanOrEqual(0);
    }),
  );
});
