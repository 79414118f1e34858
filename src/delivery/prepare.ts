import type { Destination, KafkaDestination, RabbitmqDestination } from '../domain/destination.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { signWebhook } from '../signing/sign-webhook.ts';
import type { SigningKey } from '../signing/signing-key.ts';
import { isCustomHeaderName, isCustomHeaderValue } from './custom-headers.ts';
import { messageKey } from './message-key.ts';

/** One attempt to make. `attempt` counts from 1; `body` is what is signed and sent, byte for byte; `event` is the event as stored. */
export interface AttemptToMake {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly attempt: number;
  readonly body: Uint8Array;
  readonly event: Uint8Array;
  /** Of the body; JSON without it. */
  readonly contentType?: string;
  /** Names and values in turn: headers of this attempt beside our own. */
  readonly headers?: readonly string[];
}

/** A signed request or message, ready for `send`. It carries credentials: never log it. */
export type PreparedRequest = HttpRequest | BrokerMessage;

export type BrokerMessage = KafkaMessage | RabbitmqMessage;

interface Prepared {
  /** Whose connections it goes out on. */
  readonly tenantNum: number;
  /** A flat list of names and values. */
  readonly headers: string[];
  readonly body: Uint8Array;
  /** Total time for the attempt, from the call of `send`. */
  readonly timeoutMs: number;
}

export interface HttpRequest extends Prepared {
  readonly type: 'http';
  /** Scheme, host and port as in `new URL().origin`; empty when the endpoint's URL is not http or https. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  /** `POST` without it. */
  readonly method?: 'OPTIONS';
}

export interface KafkaMessage extends Prepared {
  readonly type: 'kafka';
  readonly destination: KafkaDestination;
  readonly key: string | null;
}

export interface RabbitmqMessage extends Prepared {
  readonly type: 'rabbitmq';
  readonly destination: RabbitmqDestination;
  readonly routingKey: string;
}

interface Route {
  readonly origin: string;
  readonly path: string;
  readonly userAgent: string;
  readonly headers: readonly string[];
}

// A target is an immutable value of one version of its endpoint, so what depends on it alone is computed once.
const routes = new WeakMap<DeliveryTarget, Route>();

/**
 * Makes the request of one attempt: a POST of the event, with the headers of Standard Webhooks 1.0.0, "Webhook headers", and ours. The
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
  const { destination, timeoutMs, tenantNum } = target;
  const { body } = delivery;
  switch (destination.type) {
    case 'http':
      return { type: 'http', origin: route.origin, tenantNum, path: route.path, headers, body, timeoutMs };
    case 'kafka': {
      const key = messageKey(destination.key, target.tenantId, delivery.event);
      return { type: 'kafka', destination, key, tenantNum, headers, body, timeoutMs };
    }
    case 'rabbitmq': {
      const { routing } = destination;
      const routingKey =
        'key' in routing ? routing.key : (messageKey(routing.from, target.tenantId, delivery.event) ?? '');
      return { type: 'rabbitmq', destination, routingKey, tenantNum, headers, body, timeoutMs };
    }
  }
}

/** The part of a request that depends on its target alone. */
export function routeOf(target: DeliveryTarget, userAgent: string): Route {
  const { destination, headers: own } = target;
  const url = usableUrl(destination);
  const headers = destination.type === 'http' ? ['user-agent', userAgent] : [];
  if (target.requestOrigin !== null) headers.push('webhook-request-origin', target.requestOrigin);
  for (const [name, value] of Object.entries(own)) {
    // In this format `ce-` headers are attributes of the event. The endpoint's own must not set them.
    if (target.format === 'cloudevents_binary' && /^ce-/i.test(name)) continue;
    if (isCustomHeaderName(name) && isCustomHeaderValue(value)) headers.push(name, value);
  }
  return {
    origin: url?.origin ?? '',
    path: url === null ? '/' : url.pathname + url.search,
    userAgent,
    headers,
  };
}

function usableUrl(destination: Destination): URL | null {
  if (destination.type !== 'http' || !URL.canParse(destination.url)) return null;
  const url = new URL(destination.url);
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : null;
}
