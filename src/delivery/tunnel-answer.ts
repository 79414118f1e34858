import type { Socket } from 'node:net';
import { classify, type Failure, ours, unreachable } from './classify.ts';

type Settle = (failure: Failure | null) => void;

const MAX_HEAD_BYTES = 16_384;
/**
 * The head of a web server that knows no CONNECT and has a page for whatever it is asked. A tunnel has none of these (RFC 9110 §9.3.6), but there are
 * proxies that name them all the same.
 */
const ANNOUNCES_BODY = /\r\n(?:content-length[ \t]*:[ \t]*0*[1-9]|(?:transfer-encoding|content-type)[ \t]*:)/i;
/** How llhttp and OpenSSL say that what they heard is no HTTP, and no TLS. */
const FOREIGN = /Expected HTTP\/|ERR_SSL_WRONG_VERSION_NUMBER/;
const PAGE = ours('it answered CONNECT with a body');
const SPOKE_FIRST = unreachable('protocol', 'the receiver sent something before it was sent the request');
const CLOSED = unreachable('reset', 'connection was closed before the request was sent');

/** What had been read of the tunnels whose head announced a body, in bytes, when nothing of it had come. */
const announced = new WeakMap<Socket, number>();

/**
 * Reads the proxy's answer to CONNECT. The socket is paused when this settles, and holds nothing that came before the request, except for what TLS
 * is to make of it.
 */
export function readTunnelAnswer(socket: Socket, isForTls: boolean, settle: Settle): void {
  let answer = '';
  const onData = (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    const end = answer.indexOf('\r\n\r\n');
    if (end === -1 && answer.length < MAX_HEAD_BYTES) return;
    socket.off('data', onData);
    socket.pause();
    const status = end === -1 ? undefined : /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
    const failure = status === undefined ? ours('its answer is not HTTP') : failureOf(Number(status));
    if (failure !== null) settle(failure);
    else hearFirst(socket, answer.slice(0, end + 4), answer.slice(end + 4), isForTls, settle);
  };
  socket.on('data', onData);
}

/**
 * @param failure how what came of a tunnel was understood
 * @param readBefore bytes of the socket that had been read by then; those of the proxy's answer if not given
 * @returns the proxy's failure instead, where its head had announced a body and what came first is neither HTTP nor TLS
 */
export function heardInTunnel(failure: Failure, socket: Socket | null, readBefore?: number): Failure {
  const answerBytes = socket === null ? undefined : announced.get(socket);
  if (answerBytes === undefined || !FOREIGN.test(failure.detail)) return failure;
  return (readBefore ?? answerBytes) === answerBytes ? PAGE : failure;
}

/**
 * What follows the head of a tunnel is the receiver's (servers of other protocols speak first, and hostile ones), unless the head says that it is a
 * body. TLS knows what to make of it. Without TLS it is no answer to a request that was not written yet, be it one of HTTP.
 */
function hearFirst(socket: Socket, head: string, rest: string, isForTls: boolean, settle: Settle): void {
  const isPage = ANNOUNCES_BODY.test(head);
  if (rest !== '' && (isPage || !isForTls)) {
    settle(isPage ? PAGE : SPOKE_FIRST);
    return;
  }
  if (isPage) announced.set(socket, socket.bytesRead);
  if (!isForTls) {
    awaitSilence(socket, isPage ? PAGE : SPOKE_FIRST, settle);
    return;
  }
  settle(null);
  if (rest !== '' && !socket.destroyed) socket.unshift(Buffer.from(rest, 'latin1'));
}

/** A turn of the event loop, in which what has come by now is read: the proxy's words may come in parts. */
function awaitSilence(socket: Socket, ifNot: Failure, settle: Settle): void {
  // Ahead of those who take it for the end of a proxy that has not answered.
  socket.prependOnceListener('error', (error) => settle(classify(error)));
  socket.prependOnceListener('close', () => settle(CLOSED));
  const decide = () => {
    if (socket.readableLength > 0) settle(ifNot);
    else settle(socket.readableEnded ? CLOSED : null);
  };
  setImmediate(() => setImmediate(decide));
}

/**
 * What a proxy says otherwise is about the receiver as it sees it, 500 too (tinyproxy says so of one that is down); when most receivers fare so, that is held
 * against none of them.
 */
function failureOf(status: number): Failure | null {
  if (status >= 200 && status <= 299) return null;
  switch (status) {
    case 403:
      return { kind: 'blocked', detail: 'the egress proxy does not allow this receiver (403)' };
    case 504:
      return unreachable('timeout', 'the egress proxy did not reach the receiver in time (504)');
    case 407:
      return ours('it does not accept our credentials (407)');
    default:
      return unreachable('network', `the egress proxy could not reach the receiver (${status})`);
  }
}
