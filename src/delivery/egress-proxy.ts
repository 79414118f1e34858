import { isIP, type Socket } from 'node:net';
import { classify, type Failure, unreachable } from './classify.ts';
import { Destination } from './destination.ts';
import type { ExtraAllowance } from './extra-sockets.ts';
import { openSocket } from './open-socket.ts';
import type { Resolver } from './resolver.ts';
import { type Opening, type Turn, Turns } from './turns.ts';

/** An HTTP proxy that every connection to a receiver goes through. */
export interface EgressProxy {
  readonly hostname: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`: never log it. */
  readonly authorization: string | null;
}

/** What the proxy is asked for. */
export interface TunnelTarget {
  readonly address: string;
  readonly port: number;
  /** By when the addresses of the proxy are to have been tried, as `TurnsOptions` has it. */
  readonly endsAt: number;
  readonly extra: ExtraAllowance;
  /** The proxy has been asked for the tunnel: from then on it may be the receiver that keeps us waiting. */
  onAsked(): void;
}

const MAX_HEAD_BYTES = 16_384;
/** The head of a web server that knows no CONNECT and has a page for whatever it is asked. A tunnel has neither (RFC 9110 §9.3.6). */
const ANNOUNCES_BODY = /\r\n(?:content-length:[ \t]*0*[1-9]|transfer-encoding:)/i;

/** @param url as `EGRESS_PROXY_URL` is checked to be: `http://user:password@host:port` */
export function readEgressProxy(url: string | undefined): EgressProxy | null {
  if (url === undefined) return null;
  const { hostname, port, username, password } = new URL(url);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 80 : Number(port),
    authorization: username === '' ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

/**
 * Has the proxy connect to an address (RFC 9110 §9.3.6) that the egress policy has allowed. An address and never a name, so that the proxy
 * has nothing to resolve. The proxy's own addresses are tried in turn until one takes the connection. Calls back at most once, never before it returns.
 */
export function openTunnel(
  proxy: EgressProxy,
  resolver: Resolver,
  target: TunnelTarget,
  callback: (failure: Failure | null, socket: Socket | null) => void,
): Opening {
  let turns: Turns | null = null;
  let socket: Socket | null = null;
  let isSettled = false;
  const settle = (failure: Failure | null) => {
    if (isSettled) return;
    isSettled = true;
    if (failure !== null) socket?.destroy();
    callback(failure, failure === null ? socket : null);
  };
  const ask = (connected: Socket) => {
    socket = connected;
    socket.on('error', (error) => settle(ours(classify(error).detail)));
    socket.on('close', () => settle(ours('connection was closed before an answer')));
    readHead(socket, settle);
    socket.write(connectRequest(proxy, target));
    target.onAsked();
  };
  addressesOf(proxy, resolver).then(
    (addresses) => {
      if (isSettled) return;
      if (addresses.length === 0) {
        settle(ours('its name has no address'));
        return;
      }
      const destination = Destination.ofProxy({ ...proxy, addresses });
      const open = (turn: Turn) => openSocket(turn, null);
      turns = new Turns({ destination, endsAt: target.endsAt, extra: target.extra, open }, (failure, connected) => {
        if (failure !== null) settle(ours(failure.detail));
        else ask(connected!);
      });
      turns.start();
    },
    () => settle(ours('its name could not be resolved')),
  );
  return {
    destroy() {
      isSettled = true;
      turns?.destroy();
      socket?.destroy();
    },
  };
}

/** A fault of the proxy itself: no receiver is to blame for it. */
export function ours(detail: string): Failure {
  return { kind: 'unreachable', reason: 'network', detail: `egress proxy: ${detail}`, ours: 'proxy' };
}

async function addressesOf({ hostname }: EgressProxy, resolver: Resolver): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  const resolution = await resolver.resolve(hostname);
  return resolution.ok ? resolution.addresses : [];
}

function connectRequest({ authorization }: EgressProxy, target: { address: string; port: number }): string {
  const authority = `${isIP(target.address) === 6 ? `[${target.address}]` : target.address}:${target.port}`;
  const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`;
}

function readHead(socket: Socket, settle: (failure: Failure | null) => void): void {
  let head = '';
  const onData = (chunk: Buffer) => {
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length < MAX_HEAD_BYTES) return;
    socket.off('data', onData);
    socket.pause();
    const status = end === -1 ? undefined : /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
    if (status === undefined) settle(ours('its answer is not HTTP'));
    else settle(failureOf(Number(status)) ?? failureOfRest(head, end + 4));
    if (end !== -1) putBack(socket, head.slice(end + 4));
  };
  socket.on('data', onData);
}

/** What follows the head of a tunnel is the receiver's (servers of other protocols speak first, and hostile ones), unless the head says that it is a body. */
function failureOfRest(head: string, headLength: number): Failure | null {
  const isBody = head.length > headLength && ANNOUNCES_BODY.test(head.slice(0, headLength));
  return isBody ? ours('it answered CONNECT with a body') : null;
}

/** Only once the tunnel is handed over: undici would connect anew, without an end, where there is something to read before it has written its request. */
function putBack(socket: Socket, rest: string): void {
  if (rest !== '' && !socket.destroyed) socket.unshift(Buffer.from(rest, 'latin1'));
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
