import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { classify, DeliveryFailure, type Failure, unreachable } from './classify.ts';
import { MIN_SHARE_MS } from './connect-in-turn.ts';
import { checkAddress, checkProtocol, type EgressPolicy } from './egress-policy.ts';
import { type EgressProxy, openTunnel, ours, type Tunnel } from './egress-proxy.ts';
import type { Resolver } from './resolver.ts';
import { createTlsSessions, type TlsSessions } from './tls-sessions.ts';
import { vetAddresses } from './vet-addresses.ts';

export interface ConnectTarget {
  /** `http:` or `https:`. */
  readonly protocol: string;
  /** A name, or an IP literal without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** When nobody waits for it any more, by `performance.now()`: by then each of its addresses was tried. */
  readonly wantedUntil: number;
}

/** Filled in while connecting. `connectMs` is TCP and TLS, without DNS. */
export interface ConnectTiming {
  dnsMs: number | null;
  connectMs: number | null;
}

export type ConnectCallback = (error: DeliveryFailure | null, socket: Socket | null) => void;

/** A connection in the making. */
export interface Dialling {
  /** Fails it, once all that happens now has happened. */
  giveUp(): void;
  /** Whether it still waits for the egress proxy to take its connection: no receiver has a part in that. */
  readonly isBeforeProxy: boolean;
}

export interface GuardedConnector {
  /** Opens a connection, and calls back exactly once, never before it returns. */
  connect(target: ConnectTarget, timing: ConnectTiming, callback: ConnectCallback): Dialling;
  /** Fails every connection that is being opened. */
  close(): void;
}

export interface GuardedConnectorOptions {
  readonly policy: EgressPolicy;
  readonly resolver: Resolver;
  /** For DNS, TCP and TLS together. */
  readonly timeoutMs: number;
  /** PEM certificates to trust in place of the well-known ones. */
  readonly ca?: readonly string[] | undefined;
  /** Through which every connection goes; directly without one. */
  readonly proxy?: EgressProxy | null;
}

/** A few kB each. Fewer than the receivers in use are hardly better than none: each would be gone before it is wanted again. */
const MAX_TLS_SESSIONS = 4_096;
const GIVEN_UP = unreachable('reset', 'connection was given up');
const SILENT = unreachable('timeout', 'no connection to an address within its share of the time');

/**
 * The one place where a delivery's socket opens, and where the egress policy holds: literals and every address that a name
 * resolves to are checked, one denied address refuses the name (but see `vetAddresses`), and the socket is opened to a checked address itself, so that
 * no second resolution can change it. Where there is an egress proxy, it is asked for that address. undici's own connector is not used: its `lookup` is never asked about literals.
 */
export function createGuardedConnector(options: GuardedConnectorOptions): GuardedConnector {
  const sessions = createTlsSessions(MAX_TLS_SESSIONS);
  const dials = new Set<Dial>();
  return {
    connect(target, timing, callback) {
      const dial = new Dial(options, sessions, target, timing, (error, socket) => {
        dials.delete(dial);
        callback(error, socket);
      });
      dials.add(dial);
      dial.start().catch((error: unknown) => dial.fail(classify(error)));
      return dial;
    },
    close() {
      for (const dial of dials) dial.fail(GIVEN_UP);
    },
  };
}

/** One connection in the making: resolve, check, then try the addresses in turn, all within one budget of time. */
class Dial implements Dialling {
  readonly #options: GuardedConnectorOptions;
  readonly #sessions: TlsSessions;
  readonly #target: ConnectTarget;
  readonly #timing: ConnectTiming;
  readonly #callback: ConnectCallback;
  readonly #startedAt = performance.now();
  readonly #budget: NodeJS.Timeout;
  #phase: 'dns' | 'proxy' | 'tcp' | 'tls' = 'dns';
  #connectingAt = 0;
  #addresses: readonly string[] = [];
  #socket: Socket | null = null;
  #tunnel: Tunnel | null = null;
  /** What the first address met with that this host could try, as long as it is not the last. */
  #tried: Failure | null = null;
  #settled = false;

  constructor(
    options: GuardedConnectorOptions,
    sessions: TlsSessions,
    target: ConnectTarget,
    timing: ConnectTiming,
    callback: ConnectCallback,
  ) {
    this.#options = options;
    this.#sessions = sessions;
    this.#target = target;
    this.#timing = timing;
    this.#callback = callback;
    this.#budget = setTimeout(() => this.#onTimeout(), options.timeoutMs);
  }

  async start(): Promise<void> {
    const { protocol, hostname } = this.#target;
    const allowed = checkProtocol(this.#options.policy, protocol);
    const found = isIP(hostname) === 0 ? await this.#resolve(hostname) : await [hostname];
    if (this.#settled) return;
    if (!allowed.ok) this.fail({ kind: 'blocked', detail: allowed.detail });
    else if (found !== null) this.#vet(found);
  }

  /** Not at once: of many requests whose time runs out together each would have a connection made for it in the place of the one before. */
  giveUp(): void {
    queueMicrotask(() => this.fail(GIVEN_UP));
  }

  get isBeforeProxy(): boolean {
    return this.#phase === 'proxy' && this.#tunnel?.isAsked === false;
  }

  fail(failure: Failure): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#budget);
    this.#tunnel?.destroy();
    this.#socket?.destroy();
    this.#callback(new DeliveryFailure(failure), null);
  }

  async #resolve(hostname: string): Promise<readonly string[] | null> {
    const resolution = await this.#options.resolver.resolve(hostname);
    if (this.#settled) return null;
    this.#timing.dnsMs = performance.now() - this.#startedAt;
    if (resolution.ok && resolution.addresses.length > 0) return resolution.addresses;
    this.fail(
      unreachable('dns', resolution.ok ? `${hostname}: the name has no addresses (ENODATA)` : resolution.detail),
    );
    return null;
  }

  #vet(addresses: readonly string[]): void {
    const { hostname, port } = this.#target;
    const vetted = vetAddresses(this.#options.policy, hostname, addresses, port);
    if (!vetted.ok) {
      this.fail({ kind: 'blocked', detail: `${hostname}: ${vetted.detail}` });
      return;
    }
    this.#addresses = vetted.addresses;
    this.#connectingAt = performance.now();
    if (this.#options.proxy) this.#tunnelTo(this.#options.proxy, 0);
    else this.#tryAddress(0);
  }

  /** As below, for each address that the proxy cannot reach; how long it may try is the proxy's to say. */
  #tunnelTo(proxy: EgressProxy, at: number): void {
    this.#phase = 'proxy';
    const target = { address: this.#addresses[at]!, port: this.#target.port, withinMs: this.#leftMs };
    this.#tunnel = openTunnel(proxy, this.#options.resolver, target, (failure, socket) => {
      if (failure === null) this.#enter(socket!);
      else if (failure.kind === 'unreachable' && failure.ours === undefined && at + 1 < this.#addresses.length)
        this.#tunnelTo(proxy, at + 1);
      else this.fail(failure);
    });
  }

  #enter(tunnel: Socket): void {
    this.#phase = 'tls';
    const socket = this.#isSecure() ? this.#openTls({ socket: tunnel, host: this.#target.hostname }) : tunnel;
    this.#socket = socket;
    socket.on('error', (error) => this.#onSocketError(error, null));
    if (this.#isSecure()) socket.once('secureConnect', () => this.#onConnected(socket));
    else this.#onConnected(socket);
  }

  /** The next address is tried when this one refuses, or has used up its share of what is left. */
  #tryAddress(at: number): void {
    const address = this.#addresses[at]!;
    const last = at === this.#addresses.length - 1;
    this.#phase = 'tcp';
    const socket = this.#open(address);
    this.#socket = socket;
    const share = last
      ? null
      : setTimeout(() => move(SILENT), Math.max(MIN_SHARE_MS, this.#leftMs / (this.#addresses.length - at)));
    const move = (failure: Failure) => {
      if (share !== null) clearTimeout(share);
      if (this.#settled || this.#socket !== socket || this.#phase === 'tls') return;
      socket.destroy();
      if (!isUntried(failure)) this.#tried ??= failure;
      this.#tryAddress(at + 1);
    };
    socket.once('connect', () => {
      if (share !== null) clearTimeout(share);
      this.#phase = 'tls';
    });
    socket.on('error', (error) => {
      if (this.#socket !== socket) return;
      if (!last && this.#phase === 'tcp') move(classify(error));
      else this.#onSocketError(error, share);
    });
    socket.once(this.#isSecure() ? 'secureConnect' : 'connect', () => this.#onConnected(socket));
  }

  /** What the addresses have together: not the whole budget where somebody waits for less, or a receiver whose first address is down would never be reached. */
  get #leftMs(): number {
    return Math.min(this.#startedAt + this.#options.timeoutMs, this.#target.wantedUntil) - performance.now();
  }

  #isSecure(): boolean {
    return this.#target.protocol === 'https:';
  }

  #open(address: string): Socket {
    const { port } = this.#target;
    if (!this.#isSecure()) return connectTcp({ host: address, port, noDelay: true, keepAlive: true });
    return this.#openTls({ host: address, port });
  }

  #openTls(over: ConnectionOptions): TLSSocket {
    const { hostname, port } = this.#target;
    const key = `${hostname}:${port}`;
    const session = this.#sessions.get(key);
    const socket: TLSSocket = connectTls({
      ...over,
      // A literal is not a server name (RFC 6066 §3); without one, node holds the certificate against `host`, or else against localhost.
      servername: isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '',
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment cannot turn verification off.
      rejectUnauthorized: true,
      ...(session === undefined ? {} : { session }),
      ...(this.#options.ca === undefined ? {} : { ca: [...this.#options.ca] }),
    });
    socket.on('session', (fresh) => this.#sessions.keep(key, fresh));
    return socket.setNoDelay(true).setKeepAlive(true);
  }

  #onConnected(socket: Socket): void {
    if (this.#settled || this.#socket !== socket) return;
    // At the other end of a tunnel is the proxy.
    const failure = this.#tunnel === null ? this.#checkPeer(socket.remoteAddress) : null;
    if (failure !== null) {
      this.fail(failure);
      return;
    }
    this.#settled = true;
    clearTimeout(this.#budget);
    this.#timing.connectMs = performance.now() - this.#connectingAt;
    this.#callback(null, socket);
  }

  /** The address was checked before; that the socket really reached one is checked too, because everything rests on it. */
  #checkPeer(address: string | undefined): Failure | null {
    if (address === undefined) return unreachable('reset', 'connection was closed at once');
    const verdict = checkAddress(this.#options.policy, address, this.#target.port);
    return verdict.ok ? null : { kind: 'blocked', detail: `${this.#target.hostname}: ${verdict.detail}` };
  }

  #onSocketError(error: Error, share: NodeJS.Timeout | null): void {
    if (share !== null) clearTimeout(share);
    const failure = classify(error);
    const inHandshake =
      this.#phase === 'tls' && this.#isSecure() && failure.kind === 'unreachable' && failure.reason !== 'tls';
    if (inHandshake) this.fail(unreachable('tls', `TLS handshake failed: ${failure.detail}`));
    else this.fail(this.#tried !== null && isUntried(failure) ? this.#tried : failure);
  }

  #onTimeout(): void {
    const seconds = this.#options.timeoutMs / 1000;
    if (this.#phase === 'dns') this.#timing.dnsMs = performance.now() - this.#startedAt;
    if (this.#phase === 'dns')
      this.fail(
        unreachable('dns', `${this.#target.hostname}: name servers did not answer within ${seconds} s (ETIMEOUT)`),
      );
    else if (this.isBeforeProxy) this.fail(ours(`no connection within ${seconds} s`));
    else if (this.#phase !== 'tls') this.fail(unreachable('timeout', `no connection within ${seconds} s`));
    else this.fail(unreachable('timeout', `no TLS handshake within ${seconds} s`));
  }
}

/** Whether this host could not even try an address, which says nothing of the receiver: without IPv6 of its own, for one, that of each receiver that has one. */
function isUntried(failure: Failure): boolean {
  return failure.kind === 'unreachable' && failure.reason === 'network';
}
