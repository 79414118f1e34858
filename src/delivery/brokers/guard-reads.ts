import type { Socket } from 'node:net';

/** What a peer may send beyond twice of what it was sent: answers are smaller than messages, and those that it gives back as large. */
const SPARE_BYTES = 4 * 1024 * 1024;

/**
 * Stands between a socket and a client that reads it frame by frame, because the peer is whatever a tenant points at. The client asks for
 * as many bytes as the peer announces: past `maxBytes` the socket is destroyed instead (past 1 GiB, Node would throw, and end the process).
 * It is destroyed as well when the peer sends more than anybody asked it for.
 */
export function guardReads(socket: Socket, maxBytes: number): void {
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    if ((size ?? 0) <= maxBytes && socket.bytesRead <= 2 * socket.bytesWritten + SPARE_BYTES) return read(size);
    socket.destroy(new Error('the peer sends more than was asked for, or a frame that is too large'));
    return null;
  };
}
