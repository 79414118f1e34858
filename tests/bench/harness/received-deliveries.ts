import { verifySignature } from '../../../src/signing/verify-signature.ts';
import { parseVerifyingKey, type VerifyingKey } from '../../../src/signing/verifying-key.ts';
import { headerValue, type SinkRequest } from './http-requests.ts';
import { monotonicMs } from './monotonic-ms.ts';
import { deliveryIndex, eventNumber, type Plan } from './plan.ts';
import type { SinkCounts } from './sink-protocol.ts';

const VERIFY_EVERY = 50;

/** What a sink has had, by number: a byte for each delivery of the run, so that one that came twice shows. */
export class ReceivedDeliveries {
  readonly #plan: Plan;
  #seen = new Uint8Array(1 << 16);
  #received = new Float64Array(1 << 16);
  #most = 0;
  #keys = new Map<number, readonly VerifyingKey[]>();
  requests = 0;
  delivered = 0;
  duplicates = 0;
  strangers = 0;
  verified = 0;
  forged = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** Signatures of these endpoints are looked at, one in fifty. */
  trust(secrets: Readonly<Record<number, string>>): void {
    for (const [endpoint, secret] of Object.entries(secrets))
      this.#keys.set(Number(endpoint), [parseVerifyingKey(secret)]);
  }

  /** @param isAccepted whether it is answered with success */
  take(request: SinkRequest, isAccepted: boolean): void {
    this.requests++;
    const n = eventNumber(this.#plan, request.webhookId);
    const index = n < 0 ? -1 : deliveryIndex(this.#plan, n, request.endpoint);
    if (index < 0) {
      this.strangers++;
      return;
    }
    if (this.requests % VERIFY_EVERY === 0) this.#verify(request);
    if (isAccepted) this.#count(index, n);
  }

  counts(): Omit<SinkCounts, 'openConnections' | 'connections' | 'resumedSessions'> {
    const { requests, delivered, duplicates, strangers, verified, forged } = this;
    return { requests, delivered, duplicates, strangers, verified, forged };
  }

  /** When each event first came, by its number. */
  times(): Float64Array {
    return this.#received.slice(0, this.#most);
  }

  #count(index: number, n: number): void {
    if (index >= this.#seen.length) this.#seen = grown(this.#seen, new Uint8Array(roomFor(index)));
    if (this.#seen[index] !== 0) {
      this.duplicates++;
      return;
    }
    this.#seen[index] = 1;
    this.delivered++;
    if (n >= this.#received.length) this.#received = grown(this.#received, new Float64Array(roomFor(n)));
    if (this.#received[n] === 0) this.#received[n] = monotonicMs();
    if (n >= this.#most) this.#most = n + 1;
  }

  #verify({ endpoint, head, body }: SinkRequest): void {
    const keys = this.#keys.get(endpoint);
    if (keys === undefined) return;
    const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
    const headers = Object.fromEntries(names.map((name) => [name, headerValue(head, name) ?? '']));
    if (verifySignature(keys, headers, body).ok) this.verified++;
    else this.forged++;
  }
}

const roomFor = (index: number): number => 2 ** Math.ceil(Math.log2(index + 2));

function grown<T extends Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
