import type { Socket } from 'node:net';
import { Client, type Dispatcher, Pool } from 'undici';
import type { ConnectTiming, Dialling, GuardedConnector } from './guarded-connector.ts';
import { passUnaskedContinue } from './unasked-continue.ts';
import { UnclaimedDials, unclaimedRoom } from './unclaimed-dials.ts';

/** What is known of the connection that a request goes out on. `fresh` until a request has taken its timing. */
export interface Connection extends ConnectTiming {
  fresh: boolean;
  /** While it is being opened. There is one request at the most that it is opened for. */
  dial: Dialling | null;
  socket: Socket | null;
  /** Bytes that had been read from the socket when its last exchange ended: what comes after them belongs to the next. */
  readBytes: number;
}

/** A handler that wants to know which connection its request was given to. */
export interface ConnectionAware {
  connection: Connection | null;
  /** When its time is over, by `performance.now()`. */
  readonly deadlineAt: number;
  /** Nobody waits for an answer any more. */
  readonly isOver: boolean;
}

export interface OriginPool {
  readonly origin: string;
  readonly tenantNum: number;
  readonly pool: Pool;
  /** Requests that undici has not let go of. */
  busy: number;
  /** With more requests than this, some wait for a connection. */
  readonly maxConnections: number;
  readonly unclaimed: UnclaimedDials;
  usedAt: number;
}

export interface OriginPools {
  /** The pool of a tenant's requests to an origin, made when there is none: tenants do not wait for each other's connections. */
  get(origin: string, tenantNum: number): OriginPool;
  /** Closes pools that have been idle for long. To be called about once a second. */
  sweep(): void;
  /** Destroys every connection; requests under way fail. */
  destroy(): Promise<void>;
  readonly size: number;
}

export interface OriginPoolsOptions {
  readonly connector: GuardedConnector;
  readonly connectionsPerOrigin: number;
  readonly maxOrigins: number;
  readonly keepAliveMs: number;
  readonly maxHeaderBytes: number;
  readonly idlePoolMs: number;
}

/** A connection is replaced after so many requests, so that one in constant use still follows DNS in the end. */
const REQUESTS_PER_CONNECTION = 1_000;
const RECENCY_MS = 1_000;
const EVICTION_SCAN = 16;
const NOT_WANTED = new Error('nobody waits for the answer any more');

/**
 * Pools by tenant and origin, least recently used first. Over `maxOrigins` an idle one makes room; when none is idle the bound gives way,
 * because what is in flight is bounded by the callers.
 */
export function createOriginPools(options: OriginPoolsOptions): OriginPools {
  /** Least recently used first. */
  const pools = new Set<OriginPool>();
  // Looked into for each request: a key of both parts would be a new string each time.
  const byTenant = new Map<number, Map<string, OriginPool>>();
  const room = unclaimedRoom();

  function drop(entry: OriginPool): void {
    const { tenantNum, origin } = entry;
    pools.delete(entry);
    const ofTenant = byTenant.get(tenantNum)!;
    ofTenant.delete(origin);
    if (ofTenant.size === 0) byTenant.delete(tenantNum);
    void entry.pool.destroy();
  }

  function makeRoom(): void {
    let scanned = 0;
    for (const entry of pools) {
      if (entry.busy === 0) {
        drop(entry);
        return;
      }
      if (++scanned === EVICTION_SCAN) return;
    }
  }

  function open(origin: string, tenantNum: number, now: number): OriginPool {
    if (pools.size >= options.maxOrigins) makeRoom();
    const unclaimed = new UnclaimedDials(room, tenantNum);
    const pool = openPool(origin, tenantNum, options, unclaimed);
    const entry = {
      origin,
      tenantNum,
      pool,
      busy: 0,
      maxConnections: options.connectionsPerOrigin,
      unclaimed,
      usedAt: now,
    };
    pools.add(entry);
    const ofTenant = byTenant.get(tenantNum);
    if (ofTenant === undefined) byTenant.set(tenantNum, new Map([[origin, entry]]));
    else ofTenant.set(origin, entry);
    return entry;
  }

  return {
    get(origin, tenantNum) {
      const now = performance.now();
      const known = byTenant.get(tenantNum)?.get(origin);
      if (known === undefined) return open(origin, tenantNum, now);
      if (now - known.usedAt > RECENCY_MS) {
        // Moved to the end at most once a second: exact recency is not worth two writes per request.
        pools.delete(known);
        pools.add(known);
        known.usedAt = now;
      }
      return known;
    },
    sweep() {
      const idleSince = performance.now() - options.idlePoolMs;
      for (const entry of pools) {
        if (entry.usedAt > idleSince) return;
        if (entry.busy === 0) drop(entry);
      }
    },
    async destroy() {
      const destroyed = [...pools].map((entry) => entry.pool.destroy());
      pools.clear();
      byTenant.clear();
      await Promise.all(destroyed);
    },
    get size() {
      return pools.size;
    },
  };
}

function openPool(origin: string, tenantNum: number, options: OriginPoolsOptions, unclaimed: UnclaimedDials): Pool {
  return new Pool(origin, {
    connections: options.connectionsPerOrigin,
    allowH2: false,
    factory: (url) => new GuardedClient(url, tenantNum, options, unclaimed),
  });
}

/**
 * One connection at a time to one origin, made by the guarded connector. It tells each handler which connection it was given, and makes
 * none for a handler whose request is over.
 */
class GuardedClient extends Client {
  readonly #connection: Connection;
  #wantedUntil = 0;

  constructor(
    url: URL,
    tenantNum: number,
    { connector, keepAliveMs, maxHeaderBytes }: OriginPoolsOptions,
    unclaimed: UnclaimedDials,
  ) {
    const connection: Connection = {
      dnsMs: null,
      connectMs: null,
      fresh: false,
      dial: null,
      socket: null,
      readBytes: 0,
    };
    super(url, {
      connect: ({ protocol, hostname, port }, callback) => {
        connection.dnsMs = null;
        connection.connectMs = null;
        connection.fresh = true;
        const target = {
          tenantNum,
          protocol,
          hostname,
          port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
          wantedUntil: this.#wantedUntil,
        };
        const dial = connector.connect(target, connection, (error, socket) => {
          unclaimed.remove(dial);
          connection.dial = null;
          connection.socket = socket;
          // A proxy has answered already.
          connection.readBytes = socket?.bytesRead ?? 0;
          if (error !== null) callback(error, null);
          else callback(null, socket!);
        });
        connection.dial = dial;
      },
      pipelining: 1,
      allowH2: false,
      // The deadline of `send` covers both: undici's own timers would cost one each per request, and never stop a slow drip.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs * 4,
      maxRequestsPerClient: REQUESTS_PER_CONNECTION,
    });
    this.#connection = connection;
    this.on('connect', () => passUnaskedContinue(this));
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler & Partial<ConnectionAware>,
  ): boolean {
    if (handler.isOver) {
      // It waited in the pool, whose next is taken at once.
      handler.onResponseError?.(null as never, NOT_WANTED);
      return true;
    }
    handler.connection = this.#connection;
    this.#wantedUntil = handler.deadlineAt ?? Number.POSITIVE_INFINITY;
    return super.dispatch(options, handler);
  }
}
