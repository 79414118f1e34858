import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { guardBatches, MAX_BATCH_BYTES } from './guard-batches.ts';

guardBatches(compressionsAlgorithms);

test.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)('a batch in %s is inflated up to the bound, and refused past it', (name, deflate) => {
  const { decompressSync } = compressionsAlgorithms[name];
  expect(decompressSync(deflate(Buffer.alloc(MAX_BATCH_BYTES))).length).toBe(MAX_BATCH_BYTES);
  const small = deflate(Buffer.alloc(MAX_BATCH_BYTES + 1));
  expect(small.length).toBeLessThan(100_000);
  expect(() => decompressSync(small)).toThrow(/larger than 64 MiB when it is inflated/);
});

test('what is no such batch is refused as before', () => {
  expect(() => compressionsAlgorithms.gzip.decompressSync(Buffer.from('no gzip'))).toThrow('incorrect header check');
});
