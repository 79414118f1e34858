import type { DueDelivery, OrderPlace } from '../store/mailbox.ts';
import type { Lane } from './lane.ts';

/** A delivery, as the mailbox tells them apart. */
export interface DeliveryKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
}

/** How a row is held: the lane that it was fetched under, and its place among those that it is kept in order with. */
export interface Held {
  readonly lane: Lane;
  readonly order: OrderPlace | null;
  readonly tenantNum: number;
  readonly bytes: number;
}

/** What a tenant has in memory. */
interface Load {
  rows: number;
  bytes: number;
}

/** It is asked for after each request that ends. */
const LARGEST_MS = 3;

const NOTHING: Readonly<Load> = { rows: 0, bytes: 0 };

/** The rows that a process has in memory. */
export class HeldRows {
  readonly #rows = new Map<string, Held>();
  readonly #loads = new Map<number, Load>();
  /** Rows of each endpoint that has any. */
  readonly #endpoints = new Map<number, number>();
  #largest = 0;
  #largestAt = Number.NEGATIVE_INFINITY;
  /** Of their bodies. */
  bytes = 0;
  /** Rows let go since the last read began. */
  readonly #letGoMeanwhile = new Set<string>();

  get size(): number {
    return this.#rows.size;
  }

  has(row: DeliveryKey): boolean {
    return this.#rows.has(keyOf(row));
  }

  add(row: DueDelivery, lane: Lane, bytes: number): void {
    const { tenantNum, order } = row;
    this.#rows.set(keyOf(row), { lane, order, tenantNum, bytes });
    this.#count(tenantNum, 1, bytes);
    this.#endpoints.set(row.endpointNum, (this.#endpoints.get(row.endpointNum) ?? 0) + 1);
    lane.held++;
  }

  /** @returns how it was held; undefined when it is not held (any more). */
  letGo(row: DeliveryKey): Held | undefined {
    const key = keyOf(row);
    const held = this.#rows.get(key);
    if (held === undefined) return undefined;
    this.#rows.delete(key);
    this.#letGoMeanwhile.add(key);
    held.lane.held--;
    this.#count(held.tenantNum, -1, -held.bytes);
    const left = this.#endpoints.get(row.endpointNum)! - 1;
    if (left > 0) this.#endpoints.set(row.endpointNum, left);
    else this.#endpoints.delete(row.endpointNum);
    return held;
  }

  /** What this tenant has in memory. */
  loadOf(tenantNum: number): Readonly<Load> {
    return this.#loads.get(tenantNum) ?? NOTHING;
  }

  /** How many endpoints have rows here. */
  get endpoints(): number {
    return this.#endpoints.size;
  }

  /** Tenants that have rows here. */
  get tenants(): Iterable<number> {
    return this.#loads.keys();
  }

  /** Rows of the tenant that has most, as it was a few milliseconds ago at the latest. */
  largestLoad(now: number): number {
    if (now - this.#largestAt < LARGEST_MS) return this.#largest;
    this.#largestAt = now;
    this.#largest = 0;
    for (const { rows } of this.#loads.values()) this.#largest = Math.max(this.#largest, rows);
    return this.#largest;
  }

  #count(tenantNum: number, rows: number, bytes: number): void {
    this.bytes += bytes;
    const load = this.#loads.get(tenantNum);
    if (load === undefined) {
      this.#loads.set(tenantNum, { rows, bytes });
      return;
    }
    load.rows += rows;
    load.bytes += bytes;
    if (load.rows === 0) this.#loads.delete(tenantNum);
  }

  /**
   * Reads rows and tells which of them are new here. A row that was settled while the statement was under way may still be in what it
   * saw: taking it for new would deliver it twice. One read at a time.
   */
  async read(
    fetch: () => Promise<DueDelivery[]>,
  ): Promise<{ readonly rows: DueDelivery[]; readonly fresh: DueDelivery[] }> {
    this.#letGoMeanwhile.clear();
    const rows = await fetch();
    const fresh = rows.filter((row) => {
      const key = keyOf(row);
      return !this.#rows.has(key) && !this.#letGoMeanwhile.has(key);
    });
    return { rows, fresh };
  }
}

export function keyOf({ eventUuid, endpointNum }: DeliveryKey): string {
  return `${eventUuid}${endpointNum}`;
}
