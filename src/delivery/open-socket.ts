import { connect, type Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { classify, type Failure, unreachable } from './classify.ts';
import { heardInTunnel } from './tunnel-answer.ts';
import type { Turn } from './turns.ts';

/** Begins TLS to an address, or over a socket that stands. */
export type OpenTls = (over: ConnectionOptions) => TLSSocket;

/**
 * Opens a socket to the address of a turn: the one place where that happens, and where the peer is checked, before a byte is sent.
 * @param openTls null for a plain one
 */
export function openSocket(turn: Turn, openTls: OpenTls | null): Socket {
  const { destination, address } = turn;
  const to = { host: address, port: destination.port };
  const socket = openTls === null ? connect({ ...to, noDelay: true, keepAlive: true }) : openTls(to);
  // Ahead of the listener by which node begins the handshake: that tells the name of the receiver.
  socket.prependOnceListener('connect', () => {
    const failure = destination.checkPeer(socket.remoteAddress);
    if (failure !== null) failFor(turn, failure);
    else if (openTls === null) turn.open(socket);
    else turn.enterHandshake();
  });
  socket.on('error', (error) => failFor(turn, classify(error)));
  if (openTls !== null) socket.once('secureConnect', () => turn.open(socket));
  turn.begin();
  return socket;
}

/** Has TLS spoken over the socket of a tunnel, as the rest of a turn. */
export function secure(turn: Turn, openTls: OpenTls, over: ConnectionOptions & { socket: Socket }): TLSSocket {
  turn.enterHandshake();
  const socket = openTls(over);
  socket.on('error', (error) => failFor(turn, heardInTunnel(classify(error), over.socket)));
  return socket.once('secureConnect', () => turn.open(socket));
}

/** What the peer has to show (its certificate, its versions of TLS) is the same at each address of a name; that a connection is cut may be of one of them. */
function failFor(turn: Turn, failure: Failure): void {
  if (failure.kind === 'blocked' || failure.reason === 'tls' || failure.ours !== undefined) turn.failForAll(failure);
  else if (turn.isInHandshake) turn.fail(unreachable('tls', `TLS handshake failed: ${failure.detail}`));
  else turn.fail(failure);
}
