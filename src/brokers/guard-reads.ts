import type { Socket } from 'node:net';

/**
 * Stands between a socket and a client that reads it frame by frame, because the peer may be no broker at all. The client asks for
 * as many bytes as the peer announces: past `maxBytes` the socket is destroyed instead (past 1 GiB, Node would throw, and end the process).
 * It is destroyed as well when the peer sends more than twice of what it was sent, and `spareBytes` beyond that.
 */
export function guardReads(socket: Socket, maxBytes: number, spareBytes = Number.POSITIVE_INFINITY): void {
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    if ((size ?? 0) <= maxBytes && socket.bytesRead <= 2 * socket.bytesWritten + spareBytes) return read(size);
    socket.destroy(new Error('the peer sends more than was asked for, or a frame that is too large: is it a broker?'));
    return null;
  };
}
