import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { classify, DeliveryFailure, type Failure, ours, unreachable } from './classify.ts';
import { Destination } from './destination.ts';
import { checkProtocol, type EgressPolicy } from './egress-policy.ts';
import { type EgressProxy, openTunnel } from './egress-proxy.ts';
import { type ExtraAllowance, ExtraSockets } from './extra-sockets.ts';
import { type OpenTls, openSocket, secure } from './open-socket.ts';
import type { Resolver } from './resolver.ts';
import { createTlsSessions, type TlsSessions } from './tls-sessions.ts';
import { type Opening, type Turn, Turns } from './turns.ts';
import { UnhurriedTimer } from './unhurried-timer.ts';

export interface ConnectTarget {
  /** Whose connection it is. */
  readonly tenantNum: number;
  /** `http:` or `https:`. */
  readonly protocol: string;
  /** A name, or an IP literal without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** When nobody waits for it any more, by `performance.now()`: by then each of its addresses was tried, where half a second for each is not too long. */
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
  /** A failure that is of no one address, while one that was begun before may still make it. */
  readonly decidedFailure: Failure | null;
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
/** Few, so that addresses that are silent cost hardly more sockets, here and at an egress proxy, than the settings say. */
const MAX_EXTRA_SOCKETS = 64;
const GIVEN_UP = unreachable('reset', 'connection was given up');

/**
 * The one way to a delivery's socket, on which the egress policy holds. Literals and every address that a name resolves to are checked, and
 * one denied address refuses the name (but see `vetAddresses`). The socket is opened to a checked address itself, so that no second
 * resolution can change it; where there is an egress proxy, it is asked for that address. undici's own connector is not used, because it
 * never asks its `lookup` about literals.
 */
export function createGuardedConnector(options: GuardedConnectorOptions): GuardedConnector {
  const shared = { sessions: createTlsSessions(MAX_TLS_SESSIONS), extra: new ExtraSockets(MAX_EXTRA_SOCKETS) };
  const dials = new Set<Dial>();
  return {
    connect(target, timing, callback) {
      const dial = new Dial(options, shared, target, timing, (error, socket) => {
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

/** What the connections of one connector have in common. */
interface Shared {
  readonly sessions: TlsSessions;
  readonly extra: ExtraSockets;
}

/** One connection in the making: resolve, check, then try the addresses in turn, directly or through the proxy, all within one budget of time. */
class Dial implements Dialling {
  readonly #options: GuardedConnectorOptions;
  readonly #shared: Shared;
  readonly #target: ConnectTarget;
  readonly #timing: ConnectTiming;
  readonly #callback: ConnectCallback;
  readonly #startedAt = performance.now();
  readonly #budget: UnhurriedTimer;
  readonly #extra: ExtraAllowance;
  #connectingAt = 0;
  /** Once the addresses are known. */
  #turns: Turns | null = null;
  #settled = false;

  constructor(
    options: GuardedConnectorOptions,
    shared: Shared,
    target: ConnectTarget,
    timing: ConnectTiming,
    callback: ConnectCallback,
  ) {
    this.#options = options;
    this.#shared = shared;
    this.#target = target;
    this.#extra = shared.extra.of(target.tenantNum);
    this.#timing = timing;
    this.#callback = callback;
    this.#budget = new UnhurriedTimer(() => this.#onTimeout(), options.timeoutMs);
  }

  async start(): Promise<void> {
    const { protocol, hostname } = this.#target;
    const allowed = checkProtocol(this.#options.policy, protocol);
    const found = isIP(hostname) === 0 ? await this.#resolve(hostname) : await [hostname];
    if (this.#settled) return;
    if (!allowed.ok) this.fail({ kind: 'blocked', detail: allowed.detail });
    else if (found !== null) this.#dial(found);
  }

  /** Not at once: of many requests whose time runs out together each would have a connection made for it in the place of the one before. */
  giveUp(): void {
    queueMicrotask(() => this.fail(GIVEN_UP));
  }

  get isBeforeProxy(): boolean {
    return Boolean(this.#options.proxy) && this.#turns?.hasBegun === false;
  }

  get decidedFailure(): Failure | null {
    return this.#turns?.decidedFailure ?? null;
  }

  fail(failure: Failure): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#budget.clear();
    this.#turns?.destroy();
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

  #dial(addresses: readonly string[]): void {
    const { policy, proxy } = this.#options;
    const destination = Destination.ofReceiver(policy, { ...this.#target, addresses });
    if (!(destination instanceof Destination)) {
      this.fail(destination);
      return;
    }
    this.#connectingAt = performance.now();
    const openTls = this.#target.protocol === 'https:' ? (over: ConnectionOptions) => this.#openTls(over) : null;
    const open = (turn: Turn) => (proxy ? this.#openTunnel(proxy, turn, openTls) : openSocket(turn, openTls));
    const extra = this.#extra;
    this.#turns = new Turns({ destination, endsAt: this.#endsAt, extra, open }, (failure, socket) => {
      if (failure !== null) this.fail(failure);
      else this.#onConnected(socket!);
    });
    this.#turns.start();
  }

  /** When its time is over: not the whole budget where somebody waits for less, or a receiver whose first address is down would never be reached. */
  get #endsAt(): number {
    return Math.min(this.#startedAt + this.#options.timeoutMs, this.#target.wantedUntil);
  }

  /** At the other end of the socket is the proxy then: it is asked for the address, and its answer is the connection. */
  #openTunnel(proxy: EgressProxy, turn: Turn, openTls: OpenTls | null): Opening {
    const { address, destination } = turn;
    const target = {
      address,
      port: destination.port,
      isForTls: openTls !== null,
      endsAt: this.#endsAt,
      extra: this.#extra,
      onAsked: () => {
        turn.begin();
        turn.take();
      },
    };
    let secured: TLSSocket | null = null;
    const tunnel = openTunnel(proxy, this.#options.resolver, target, (failure, socket) => {
      if (failure !== null) failInTunnel(turn, failure);
      else if (openTls === null) turn.open(socket!);
      else secured = secure(turn, openTls, { socket: socket!, host: this.#target.hostname });
    });
    return {
      destroy() {
        secured?.destroy();
        tunnel.destroy();
      },
    };
  }

  #openTls(over: ConnectionOptions): TLSSocket {
    const { hostname, port } = this.#target;
    const key = `${hostname}:${port}`;
    const session = this.#shared.sessions.get(key);
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
    socket.on('session', (fresh) => this.#shared.sessions.keep(key, fresh));
    return socket.setNoDelay(true).setKeepAlive(true);
  }

  #onConnected(socket: Socket): void {
    this.#settled = true;
    this.#budget.clear();
    this.#timing.connectMs = performance.now() - this.#connectingAt;
    this.#callback(null, socket);
  }

  #onTimeout(): void {
    const seconds = this.#options.timeoutMs / 1000;
    if (this.#turns === null) {
      this.#timing.dnsMs = performance.now() - this.#startedAt;
      this.fail(
        unreachable('dns', `${this.#target.hostname}: name servers did not answer within ${seconds} s (ETIMEOUT)`),
      );
    } else if (this.decidedFailure !== null) this.fail(this.decidedFailure);
    else if (this.isBeforeProxy) this.fail(ours(`no connection within ${seconds} s`));
    else if (this.#turns.isInHandshake) this.fail(unreachable('timeout', `no TLS handshake within ${seconds} s`));
    else this.fail(unreachable('timeout', `no connection within ${seconds} s`));
  }
}

/** What is the proxy's own, or forbidden by it, is so whatever address it is asked for. */
function failInTunnel(turn: Turn, failure: Failure): void {
  if (failure.kind === 'blocked' || failure.ours !== undefined) turn.failForAll(failure);
  else turn.fail(failure);
}
