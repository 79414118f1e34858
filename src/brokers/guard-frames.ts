import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Bytes of the length in front of each response of a Kafka broker. */
const PREFIX = 4;

/**
 * Stands between a socket and the client that reads it, because the peer may be no broker at all. A frame (a length of four bytes,
 * and as many bytes) that is larger than `maxBytes` or shorter than every response destroys the socket before the client sees it, which
 * would hold whatever comes; and so does what the client throws in reading a frame, which would end the process.
 */
export function guardFrames(socket: Socket, maxBytes: number, onData: () => void = () => {}): void {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...values: unknown[]) => boolean;
  const frames = new FrameReader(maxBytes);
  const isTls = socket instanceof TLSSocket;
  let hasData = false;
  socket.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event !== 'data') return emit(event, ...values);
    const isFirst = !hasData;
    hasData = true;
    try {
      // The client knows what that is, ends the connection itself and says that the broker requires TLS.
      const isRecord = isFirst && !isTls && isTlsRecord(values[0] as Buffer);
      if (!isRecord && !frames.admits(values[0] as Buffer)) throw new Error('a frame is too large or malformed');
      onData();
      return emit(event, ...values);
    } catch (error) {
      socket.destroy(error as Error);
      return true;
    }
  };
}

/** RFC 8446, section 5.1, as the client tells it. */
function isTlsRecord(chunk: Buffer): boolean {
  const [type = 0, major, minor = 255] = chunk;
  return type >= 0x14 && type <= 0x17 && major === 3 && minor <= 4;
}

class FrameReader {
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX);
  #prefixBytes = 0;
  #left = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  admits(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#prefix[this.#prefixBytes++] = chunk[at++]!;
      if (this.#prefixBytes < PREFIX) continue;
      this.#prefixBytes = 0;
      this.#left = this.#prefix.readInt32BE();
      if (this.#left < PREFIX || this.#left > this.#maxBytes) return false;
    }
    return true;
  }
}
