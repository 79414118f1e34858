import type { IncomingMessage } from 'node:http';
import { verifySignature } from '../../../src/signing/verify-signature.ts';
import { parseVerifyingKey, type VerifyingKey } from '../../../src/signing/verifying-key.ts';
import type { LedgerWriter } from './ledger-writer.ts';
import type { EndpointReport, ReceiverReport } from './receiver-protocol.ts';

/** A request that was read whole and has no answer yet. */
export interface OpenRequest {
  readonly request: number;
  readonly endpoint: number;
  /** Which request of its endpoint it is, from 0. */
  readonly ofEndpoint: number;
  /** The attempt's number, as its header says, from 1. */
  readonly attempt: number;
}

type Counts = { -readonly [K in keyof EndpointReport]: EndpointReport[K] };

/** Reads requests, verifies them, writes them down, and counts. */
export class ReceivedEvents {
  readonly #ledger: LedgerWriter;
  readonly #keys = new Map<number, readonly VerifyingKey[]>();
  readonly #tenants = new Map<number, string>();
  readonly #counts: Counts[] = [];
  #requests = 0;
  #good = 0;
  #inFlight = 0;

  constructor(ledger: LedgerWriter) {
    this.#ledger = ledger;
  }

  trust(endpoint: number, tenant: string, secrets: readonly string[]): void {
    this.#keys.set(endpoint, secrets.map(parseVerifyingKey));
    this.#tenants.set(endpoint, tenant);
  }

  receive({ url = '', headers }: IncomingMessage, body: Buffer): OpenRequest {
    const atMs = Date.now();
    const endpoint = /^\/\d+$/.test(url) ? Number(url.slice(1)) : -1;
    const { tenant, event, dueAtMs } = readBody(body);
    const attempt = Number(headers['posthorn-attempt'] ?? 0);
    const request = ++this.#requests;
    this.#ledger.write({
      kind: 'request',
      request,
      atMs,
      endpoint,
      event,
      webhookId: String(headers['webhook-id'] ?? ''),
      deliveryId: String(headers['posthorn-delivery-id'] ?? ''),
      attempt,
      isVerified: verifySignature(this.#keys.get(endpoint) ?? [], headers, body).ok,
      isOwn: tenant === this.#tenants.get(endpoint),
      bodyHash: fnv1a(body),
      lagMs: atMs - dueAtMs,
    });
    const counts = this.#of(endpoint);
    this.#inFlight++;
    counts.inFlight++;
    counts.mostInFlight = Math.max(counts.mostInFlight, counts.inFlight);
    return { request, endpoint, ofEndpoint: counts.requests++, attempt };
  }

  /** @param status 0 when none was sent */
  answered({ request, endpoint }: OpenRequest, status: number): void {
    this.#ledger.write({ kind: 'answer', request, atMs: Date.now(), status });
    const counts = this.#of(endpoint);
    this.#inFlight--;
    counts.inFlight--;
    if (status < 200 || status > 299) return;
    this.#good++;
    counts.good++;
  }

  counts(): Pick<ReceiverReport, 'requests' | 'good' | 'inFlight' | 'endpoints'> {
    // Holes become null on their way to the parent.
    const endpoints = Array.from(this.#counts, (counts) => counts ?? newCounts());
    return { requests: this.#requests, good: this.#good, inFlight: this.#inFlight, endpoints };
  }

  #of(endpoint: number): Counts {
    // Requests to no endpoint of ours are in the ledger; they need no counter.
    if (endpoint < 0) return newCounts();
    this.#counts[endpoint] ??= newCounts();
    return this.#counts[endpoint];
  }
}

function newCounts(): Counts {
  return { requests: 0, good: 0, inFlight: 0, mostInFlight: 0 };
}

function readBody(body: Buffer): { tenant: string; event: number; dueAtMs: number } {
  try {
    const { tenant_id, data } = JSON.parse(body.toString()) as { tenant_id: string; data: { n?: number; t?: number } };
    return { tenant: tenant_id, event: data.n ?? -1, dueAtMs: data.t ?? Number.NaN };
  } catch {
    return { tenant: '', event: -1, dueAtMs: Number.NaN };
  }
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
