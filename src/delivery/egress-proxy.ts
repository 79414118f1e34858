import { isIP, type Socket } from 'node:net';
import { classify, type Failure, ours } from './classify.ts';
import { Destination } from './destination.ts';
import type { ExtraAllowance } from './extra-sockets.ts';
import { openSocket } from './open-socket.ts';
import type { Resolver } from './resolver.ts';
import { readTunnelAnswer } from './tunnel-answer.ts';
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
  /** Whether TLS is spoken in the tunnel. */
  readonly isForTls: boolean;
  /** By when the addresses of the proxy are to have been tried, as `TurnsOptions` has it. */
  readonly endsAt: number;
  readonly extra: ExtraAllowance;
  /** The proxy has been asked for the tunnel: from then on it may be the receiver that keeps us waiting. */
  onAsked(): void;
}

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
    readTunnelAnswer(socket, target.isForTls, settle);
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
