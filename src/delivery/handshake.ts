import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { Outcome, ReceivedResponse } from '../domain/outcome.ts';
import { type PreparedRequest, routeOf } from './prepare.ts';

/** What a receiver's answer, or its silence, says of deliveries to it. */
export type HandshakeVerdict =
  /** `allowedPerMinute` null: as many as there are. */
  | { readonly kind: 'allowed'; readonly allowedPerMinute: number | null }
  | { readonly kind: 'refused'; readonly detail: string }
  /** It could not say: to be asked again. */
  | { readonly kind: 'unknown'; readonly detail: string };

const LONGEST_MS = 15_000;
const NO_BODY = new Uint8Array(0);
const MAX_QUOTED = 100;

/**
 * The validation request of CloudEvents' "HTTP 1.1 Web Hooks for Event Delivery", §4.1: to the very URL that deliveries go to, with the
 * endpoint's own headers. It carries credentials: never log it.
 * @param origin the DNS name that we send under
 */
export function prepareHandshake(target: DeliveryTarget, origin: string, userAgent: string): PreparedRequest {
  const { origin: where, path, headers } = routeOf({ ...target, requestOrigin: origin }, userAgent);
  const rate = askedPerMinute(target);
  return {
    origin: where,
    tenantNum: target.tenantNum,
    path,
    method: 'OPTIONS',
    headers: [...headers, ...(rate === null ? [] : ['webhook-request-rate', String(rate)])],
    body: NO_BODY,
    timeoutMs: Math.min(target.timeoutMs, LONGEST_MS),
  };
}

/**
 * Reads the answer, §4.2: agreed is what says so in `WebHook-Allowed-Origin`. A receiver that tells no rate is content with that of the
 * endpoint.
 */
export function readHandshake(outcome: Outcome, origin: string): HandshakeVerdict {
  switch (outcome.kind) {
    case 'unreachable':
    case 'blocked':
      return { kind: 'unknown', detail: outcome.detail };
    case 'skipped':
      return { kind: 'unknown', detail: outcome.reason };
    case 'delivered':
      return verdictOf(outcome.response, origin);
    case 'rejected': {
      const { status } = outcome.response;
      const kind = status >= 500 || status === 429 || status === 408 ? 'unknown' : 'refused';
      return { kind, detail: `the receiver answered OPTIONS with ${status}` };
    }
  }
}

function verdictOf({ headers }: ReceivedResponse, origin: string): HandshakeVerdict {
  const allowed = headers['webhook-allowed-origin']?.trim();
  if (allowed === undefined) return refused('the receiver answered OPTIONS without WebHook-Allowed-Origin');
  if (allowed !== '*' && allowed.toLowerCase() !== origin.toLowerCase())
    return refused(`the receiver allows ${quoted(allowed)} as WebHook-Allowed-Origin, and not ${origin}`);
  const rate = headers['webhook-allowed-rate']?.trim();
  if (rate === undefined || rate === '*') return { kind: 'allowed', allowedPerMinute: null };
  if (!/^[1-9]\d{0,8}$/.test(rate))
    return refused(`the receiver sent ${quoted(rate)} as WebHook-Allowed-Rate: expected requests a minute, or *`);
  return { kind: 'allowed', allowedPerMinute: Number(rate) };
}

function refused(detail: string): HandshakeVerdict {
  return { kind: 'refused', detail };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED));
}

/** Requests a minute, as the specification counts; null for an endpoint without a limit of its own. */
function askedPerMinute({ rateLimit }: DeliveryTarget): number | null {
  return rateLimit === null ? null : Math.max(1, Math.floor(rateLimit.perSecond * 60));
}
