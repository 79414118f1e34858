import { createHash } from 'node:crypto';
import type { BrokerDestination } from '../../domain/destination.ts';
import type { BrokerMessage } from '../prepare.ts';
import type { Shipment } from './shipment.ts';

/** The way to one cluster as one user: its connections, what waits for them and what is under way on them. */
export interface Line<Message extends BrokerMessage> {
  /** Takes a message, and ends the shipment later. Never throws. */
  send(shipment: Shipment<Message>): void;
  /** A shipment was not answered in time. @returns what it waited for, for people. */
  late(shipment: Shipment<Message>): string;
  /** Closes every connection at once. What is under way ends as unreachable. */
  close(): void;
}

export interface PooledLine<Message extends BrokerMessage> {
  readonly line: Line<Message>;
  readonly key: string;
  /** Shipments that it was given and that have not ended. */
  busy: number;
  usedAt: number;
}

export interface LinePoolOptions<Message extends BrokerMessage> {
  readonly open: (destination: Message['destination']) => Line<Message>;
  readonly maxLines: number;
  readonly idleMs: number;
}

const RECENCY_MS = 1_000;

/**
 * Lines by tenant and connection settings, least recently used first: tenants do not wait for each other's connections, and another
 * password is another line. Over `maxLines` an idle one makes room; when none is idle the bound gives way, because what is in flight is
 * bounded by the callers.
 */
export class LinePool<Message extends BrokerMessage> {
  readonly #options: LinePoolOptions<Message>;
  readonly #lines = new Map<string, PooledLine<Message>>();
  readonly #keys = new WeakMap<BrokerDestination, string>();

  constructor(options: LinePoolOptions<Message>) {
    this.#options = options;
  }

  get(tenantNum: number, destination: Message['destination']): PooledLine<Message> {
    const now = performance.now();
    const key = `${tenantNum} ${this.#keyOf(destination)}`;
    let entry = this.#lines.get(key);
    if (entry === undefined) {
      if (this.#lines.size >= this.#options.maxLines) this.#makeRoom();
      entry = { key, line: this.#options.open(destination), busy: 0, usedAt: now };
      this.#lines.set(key, entry);
    } else if (now - entry.usedAt > RECENCY_MS) {
      this.#lines.delete(key);
      this.#lines.set(key, entry);
      entry.usedAt = now;
    }
    return entry;
  }

  /** Closes lines that have been idle for long. To be called about once a second. */
  sweep(): void {
    const idleSince = performance.now() - this.#options.idleMs;
    for (const entry of this.#lines.values()) {
      if (entry.usedAt > idleSince) return;
      if (entry.busy === 0) this.#drop(entry);
    }
  }

  closeAll(): void {
    for (const entry of this.#lines.values()) this.#drop(entry);
  }

  get size(): number {
    return this.#lines.size;
  }

  #makeRoom(): void {
    for (const entry of this.#lines.values()) {
      if (entry.busy > 0) continue;
      this.#drop(entry);
      return;
    }
  }

  #drop(entry: PooledLine<Message>): void {
    this.#lines.delete(entry.key);
    entry.line.close();
  }

  #keyOf(destination: BrokerDestination): string {
    let key = this.#keys.get(destination);
    if (key === undefined) {
      key = createHash('sha256')
        .update(JSON.stringify(connectionOf(destination)))
        .digest('base64');
      this.#keys.set(destination, key);
    }
    return key;
  }
}

/** What of a destination decides over the connection. */
function connectionOf(destination: BrokerDestination): unknown[] {
  const { tls, ca } = destination;
  if (destination.type === 'kafka') return [destination.brokers, tls, ca, destination.sasl];
  const { hosts, vhost, username, password } = destination;
  return [hosts, tls, ca, vhost, username, password];
}
