import type { DeliveryTarget } from '../domain/endpoint.ts';
import { signWebhook } from '../signing/sign-webhook.ts';
import type { SigningKey } from '../signing/signing-key.ts';
import { isCustomHeaderName, isCustomHeaderValue } from './custom-headers.ts';

/** One attempt to make. `attempt` counts from 1; `body` is what is signed and sent, byte for byte. */
export interface AttemptToMake {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly attempt: number;
  readonly body: Uint8Array;
  /** Of the body; JSON where it does not say. */
  readonly contentType?: string;
  /** Names and values in turn: what goes before the body beside our own headers. */
  readonly headers?: readonly string[];
}

/** A signed request, ready for `send`. Headers are a flat list of names and values. It carries credentials: never log it. */
export interface PreparedRequest {
  /** Scheme, host and port as in `new URL().origin`; empty when the endpoint's URL is not http or https. */
  readonly origin: string;
  /** Whose connections it goes out on. */
  readonly tenantNum: number;
  /** Path and query. */
  readonly path: string;
  /** `POST` where it does not say. */
  readonly method?: 'OPTIONS';
  readonly headers: string[];
  readonly body: Uint8Array;
  /** Total time for the attempt, from the call of `send`. */
  readonly timeoutMs: number;
}

interface Route {
  readonly origin: string;
  readonly path: string;
  readonly userAgent: string;
  readonly headers: readonly string[];
}

// A target is an immutable value of one version of its endpoint, so what follows from it alone is worked out once.
const routes = new WeakMap<DeliveryTarget, Route>();

/**
 * Makes the request of one attempt: contract.md, "Delivery request", and Standard Webhooks 1.0.0, "Webhook headers". The
 * endpoint's own headers come last and never override ours. Throws `RangeError` as `signWebhook` does, for a bug of the caller.
 */
export function prepare(
  target: DeliveryTarget,
  keys: readonly SigningKey[],
  delivery: AttemptToMake,
  timestampSeconds: number,
  userAgent: string,
): PreparedRequest {
  let route = routes.get(target);
  if (route === undefined || route.userAgent !== userAgent) {
    route = routeOf(target, userAgent);
    routes.set(target, route);
  }
  const headers = [
    'webhook-id',
    delivery.eventId,
    'webhook-timestamp',
    String(timestampSeconds),
    'webhook-signature',
    signWebhook(keys, delivery.eventId, timestampSeconds, delivery.body),
    'posthorn-delivery-id',
    delivery.deliveryId,
    'posthorn-attempt',
    String(delivery.attempt),
    'content-type',
    delivery.contentType ?? 'application/json',
  ];
  if (delivery.headers !== undefined) headers.push(...delivery.headers);
  for (const part of route.headers) headers.push(part);
  const { timeoutMs, tenantNum } = target;
  return { origin: route.origin, tenantNum, path: route.path, headers, body: delivery.body, timeoutMs };
}

/** What of a request follows from its target alone. */
export function routeOf(target: DeliveryTarget, userAgent: string): Route {
  const url = URL.canParse(target.url) ? new URL(target.url) : null;
  const usable = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  const headers = ['user-agent', userAgent];
  if (target.requestOrigin !== null) headers.push('webhook-request-origin', target.requestOrigin);
  for (const [name, value] of Object.entries(target.headers)) {
    // There an attribute of the event would be what the endpoint says.
    if (target.format === 'cloudevents_binary' && /^ce-/i.test(name)) continue;
    if (isCustomHeaderName(name) && isCustomHeaderValue(value)) headers.push(name, value);
  }
  return {
    origin: usable ? url.origin : '',
    path: usable ? url.pathname + url.search : '/',
    userAgent,
    headers,
  };
}
