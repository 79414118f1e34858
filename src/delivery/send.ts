import type { Outcome } from '../domain/outcome.ts';
import { createDeadlineWheel } from './deadline-wheel.ts';
import type { EgressPolicy } from './egress-policy.ts';
import type { EgressProxy } from './egress-proxy.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { createGuardedConnector } from './guarded-connector.ts';
import { createOriginPools } from './origin-pools.ts';
import type { HttpRequest } from './prepare.ts';
import type { Resolver } from './resolver.ts';
import type { Abandonable, Sender } from './sender.ts';

export interface SenderOptions {
  readonly policy: EgressPolicy;
  readonly resolver: Resolver;
  readonly connectionsPerOrigin?: number;
  /** Receivers whose connections are kept; the least recently used idle ones are closed. */
  readonly maxOrigins?: number;
  /** For DNS, TCP and TLS together, within the total. */
  readonly connectTimeoutMs?: number;
  /** Bytes of a response's body that are kept, as they came: never inflated. */
  readonly maxResponseBytes?: number;
  readonly maxHeaderBytes?: number;
  /** How long an idle connection is kept where the receiver does not say otherwise. */
  readonly keepAliveMs?: number;
  readonly idlePoolMs?: number;
  /** Grain of the deadlines. */
  readonly tickMs?: number;
  /** PEM certificates to trust in place of the well-known ones. */
  readonly ca?: readonly string[] | undefined;
  readonly proxy?: EgressProxy | null;
}

/**
 * Sends over HTTP. Redirects are not followed, bodies not inflated, HTTP/2 not spoken.
 *
 * A request that undici has not written yet when its idle connection closes goes out on a new one, unseen. Once written it is
 * never repeated here: a connection that closes without an answer says nothing of what the receiver did with the request, so
 * the outcome is `unreachable` (`reset`) and the retry schedule decides.
 */
export function createSender(options: SenderOptions): Sender<HttpRequest> {
  const {
    policy,
    resolver,
    connectTimeoutMs = 5_000,
    tickMs = 100,
    maxHeaderBytes = 16_384,
    ca,
    proxy = null,
  } = options;
  const connector = createGuardedConnector({ policy, resolver, timeoutMs: connectTimeoutMs, ca, proxy });
  const pools = createOriginPools({
    connector,
    connectionsPerOrigin: options.connectionsPerOrigin ?? 1_024,
    maxOrigins: options.maxOrigins ?? 2_048,
    keepAliveMs: options.keepAliveMs ?? 4_000,
    maxHeaderBytes,
    idlePoolMs: options.idlePoolMs ?? 60_000,
  });
  const wheel = createDeadlineWheel<Exchange>(tickMs);
  const sweeping = setInterval(pools.sweep, 1_000).unref();
  const host: ExchangeHost = {
    maxResponseBytes: options.maxResponseBytes ?? 16_384,
    maxHeaderBytes,
    ended: wheel.remove,
  };
  let closed = false;

  function abortAll(): number {
    const underWay = wheel.entries();
    for (const exchange of underWay) exchange.abandon();
    return underWay.length;
  }

  return {
    send(request, onOutcome) {
      if (closed) throw new Error('the sender is closed');
      if (request.origin === '') return refuse(onOutcome);
      const pool = pools.get(request.origin, request.tenantNum);
      const exchange = new Exchange(host, pool, request.timeoutMs, onOutcome);
      wheel.add(exchange, request.timeoutMs);
      const { path, method = 'POST', headers, body } = request;
      exchange.dispatch({ path, method, headers, body, blocking: false });
      return exchange;
    },
    abortAll,
    async close() {
      closed = true;
      abortAll();
      wheel.stop();
      clearInterval(sweeping);
      connector.close();
      await pools.destroy();
    },
    get inFlight() {
      return wheel.size;
    },
  };
}

function refuse(onOutcome: (outcome: Outcome) => void): Abandonable {
  const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 };
  let isAbandoned = false;
  queueMicrotask(() => {
    if (isAbandoned) return;
    onOutcome({ kind: 'blocked', detail: 'the endpoint URL is not an http or https URL', timing });
  });
  return {
    abandon: () => {
      isAbandoned = true;
    },
  };
}
