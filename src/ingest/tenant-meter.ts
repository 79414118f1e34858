import { SpendingBucket } from '../accounts/spending-bucket.ts';
import { Refusal } from '../domain/errors.ts';
import type { IngestLimits } from '../domain/ingest-limits.ts';

/** What a request costs its tenant. */
export interface IngestCost {
  readonly events: number;
  readonly bytes: number;
}

/** Seconds after which a producer whose tenant's backlog is full may try again. */
const BACKLOG_RETRY_S = 5;
/** The part of the former demand that is forgotten with each exchange. */
const DECAY = 0.5;

const NO_HEADERS = {};

/** What one tenant may still send through this process, and how much it has asked for. */
export class TenantMeter {
  #limits: IngestLimits;
  #share = 1;
  readonly #events: SpendingBucket;
  readonly #bytes: SpendingBucket;
  #asked = 0;
  #demand = 0;
  #waiting = 0;
  #acceptedSince = 0;
  /** When it was last asked, on the caller's clock. */
  usedMs: number;

  constructor(limits: IngestLimits, share: number, nowMs: number) {
    this.#limits = limits;
    this.#share = share;
    this.#events = new SpendingBucket((limits.eventsPerSecond ?? 1) * share, limits.burstEvents * share, nowMs);
    this.#bytes = new SpendingBucket((limits.bytesPerSecond ?? 1) * share, limits.burstBytes * share, nowMs);
    this.usedMs = nowMs;
  }

  /** @param share the part of the tenant's limits that this process may allow, from 0 to 1 */
  configure(limits: IngestLimits, share: number, nowMs: number): void {
    this.#limits = limits;
    this.#share = share;
    this.#events.configure((limits.eventsPerSecond ?? 1) * share, limits.burstEvents * share, nowMs);
    this.#bytes.configure((limits.bytesPerSecond ?? 1) * share, limits.burstBytes * share, nowMs);
  }

  get hasRate(): boolean {
    return this.#limits.eventsPerSecond !== null || this.#limits.bytesPerSecond !== null;
  }

  get backlog(): number | null {
    return this.#limits.backlog;
  }

  /** @returns why a request of this cost may not pass now, or null */
  problem(cost: IngestCost, nowMs: number): Refusal | null {
    this.usedMs = nowMs;
    const { eventsPerSecond, burstEvents, bytesPerSecond, burstBytes, backlog } = this.#limits;
    if (eventsPerSecond !== null && cost.events > burstEvents)
      return tooLarge(`${cost.events} events`, `${burstEvents}`);
    if (bytesPerSecond !== null && cost.bytes > burstBytes) return tooLarge(`${cost.bytes} bytes`, `${burstBytes}`);
    if (backlog !== null && this.#waiting + this.#acceptedSince >= backlog) return backlogFull(backlog);
    const eventsMs = eventsPerSecond === null ? 0 : this.#events.waitMs(cost.events, nowMs);
    const bytesMs = bytesPerSecond === null ? 0 : this.#bytes.waitMs(cost.bytes, nowMs);
    const waitMs = Math.max(eventsMs, bytesMs);
    return waitMs === 0 ? null : rateLimited(eventsMs >= bytesMs ? 'events' : 'bytes', waitMs);
  }

  spend(cost: IngestCost, nowMs: number): void {
    if (this.#limits.eventsPerSecond !== null) this.#events.spend(cost.events, nowMs);
    if (this.#limits.bytesPerSecond !== null) this.#bytes.spend(cost.bytes, nowMs);
  }

  /** Spends as much of the cost as is left. */
  drain(cost: IngestCost, nowMs: number): void {
    if (this.#limits.eventsPerSecond !== null) this.#events.drain(cost.events, nowMs);
    if (this.#limits.bytesPerSecond !== null) this.#bytes.drain(cost.bytes, nowMs);
  }

  /** Counts what was asked for, whether or not it may pass: the processes divide the limits by that. */
  ask(events: number): void {
    this.#asked += events;
  }

  /** Ends a period of measuring. @returns the events a second that were asked for, averaged over the last few periods */
  takeDemand(elapsedMs: number): number {
    this.#demand = this.#demand * DECAY + ((this.#asked * 1000) / Math.max(1, elapsedMs)) * (1 - DECAY);
    if (this.#demand < 0.01) this.#demand = 0;
    this.#asked = 0;
    return this.#demand;
  }

  accepted(deliveries: number): void {
    this.#acceptedSince += deliveries;
  }

  get acceptedSince(): number {
    return this.#acceptedSince;
  }

  /** Takes the result of a count. @param accepted deliveries that were accepted before the count began, so that it includes them */
  counted(waiting: number, accepted: number): void {
    this.#waiting = waiting;
    this.#acceptedSince -= accepted;
  }

  /**
   * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): q is what may come at once, w the seconds in which that
   * fills again, r what is left of it, t the seconds until it is whole. A backlog does not fill with time: it has no w, and has t only
   * when it is full, to say when to try again.
   */
  headers(nowMs: number): Readonly<Record<string, string>> {
    const { eventsPerSecond, burstEvents, bytesPerSecond, burstBytes, backlog } = this.#limits;
    if (!this.hasRate && backlog === null) return NO_HEADERS;
    const policies: string[] = [];
    const states: string[] = [];
    const add = (name: string, unit: string, perSecond: number, burst: number, bucket: SpendingBucket) => {
      const left = Math.min(burst, Math.floor(bucket.left(nowMs) / this.#share));
      policies.push(`"${name}";q=${burst};w=${Math.ceil(burst / perSecond)};qu="${unit}"`);
      states.push(`"${name}";r=${left};t=${Math.ceil(bucket.fullInMs(nowMs) / 1000)}`);
    };
    if (eventsPerSecond !== null) add('events', 'events', eventsPerSecond, burstEvents, this.#events);
    if (bytesPerSecond !== null) add('bytes', 'content-bytes', bytesPerSecond, burstBytes, this.#bytes);
    if (backlog !== null) {
      const left = Math.max(0, backlog - this.#waiting - this.#acceptedSince);
      policies.push(`"backlog";q=${backlog};qu="deliveries"`);
      states.push(left > 0 ? `"backlog";r=${left}` : `"backlog";r=0;t=${BACKLOG_RETRY_S}`);
    }
    return { ratelimit: states.join(', '), 'ratelimit-policy': policies.join(', ') };
  }
}

function rateLimited(what: string, waitMs: number): Refusal {
  return new Refusal(
    429,
    'rate_limited',
    `Nothing was stored: the tenant has sent its share of ${what}. Try again later.`,
    {
      retryAfterSeconds: Math.ceil(waitMs / 1000),
    },
  );
}

function backlogFull(backlog: number): Refusal {
  return new Refusal(
    429,
    'backlog_full',
    `Nothing was stored: ${backlog} or more deliveries of the tenant wait to be made. Try again when they are.`,
    { retryAfterSeconds: BACKLOG_RETRY_S },
  );
}

function tooLarge(has: string, most: string): Refusal {
  return new Refusal(
    413,
    'over_burst',
    `Nothing was stored: the request has ${has}; the tenant may send ${most} at once. Split it.`,
  );
}
