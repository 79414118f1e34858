import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { compressionsAlgorithms } from '@platformatic/kafka';

const MIB = 1024 * 1024;

/**
 * What a batch of messages may be once it is inflated: far more than producers put into one. Brokers bound only what it is before, and a
 * megabyte may become a thousand.
 */
export const MAX_BATCH_BYTES = 64 * MIB;

/** Those that can make very much out of little: of a byte lz4 makes 255 at the most, snappy 21. */
const INFLATE = { gzip: gunzipSync, zstd: zstdDecompressSync };

/**
 * Has the client refuse batches that are larger than `MAX_BATCH_BYTES` once they are inflated, rather than hold all of it in memory. What it throws ends the session of the
 * consumer, with the reason. To be called wherever messages are read.
 * @param algorithms the client's own, which it goes by
 */
export function guardBatches(algorithms: typeof compressionsAlgorithms): void {
  for (const name of ['gzip', 'zstd'] as const)
    Object.assign(algorithms[name], { decompressSync: bounded(INFLATE[name]) });
}

const TOO_LARGE = `a batch of messages is larger than ${MAX_BATCH_BYTES / MIB} MiB when it is inflated: set the offset of the group past it, or let its producer send smaller batches`;

type Inflate = (data: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;

function bounded(inflate: Inflate) {
  return (data: Uint8Array | { readonly buffer: Buffer }) => {
    try {
      return inflate(data instanceof Uint8Array ? data : data.buffer, { maxOutputLength: MAX_BATCH_BYTES });
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? new Error(TOO_LARGE) : error;
    }
  };
}
