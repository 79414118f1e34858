import { KeptMap } from '../accounts/kept-map.ts';
import type { DueDelivery, LaneFetch, OrderPlace } from '../store/mailbox.ts';
import type { Lane } from './lane.ts';
import { RowTable, type TableRow } from './row-table.ts';

/** A delivery, as the mailbox tells them apart. */
export interface DeliveryKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
}

/** How a row is held: the lane that it was fetched under, and its place among those that it is kept in order with. */
export interface Held extends DeliveryKey {
  readonly lane: Lane;
  readonly order: OrderPlace | null;
  readonly tenantNum: number;
  readonly bytes: number;
}

export interface HeldRow extends Held, TableRow<HeldRow> {
  readonly dueAtMs: number;
  /** Since when it is expected, in ms of `performance.now()`; of others nobody asks. */
  readonly since: number;
  /** `expected`: its commit is under way. */
  state: 'expected' | 'held' | 'let go';
}

/** What a tenant has in memory. */
interface Load {
  readonly tenantNum: number;
  rows: number;
  bytes: number;
  /** Bytes of the body that came last. */
  lastBytes: number;
}

/** It is asked for after each request that ends. */
const LARGEST_MS = 3;

const NOTHING: Readonly<Omit<Load, 'tenantNum'>> = { rows: 0, bytes: 0, lastBytes: 0 };

/** The rows that a process has in memory. */
export class HeldRows {
  /** And those that are expected, and those that were let go since the read began that is under way. */
  readonly #rows = new RowTable<HeldRow>();
  readonly #loads = new KeptMap<Load>(
    (tenantNum) => ({ tenantNum, rows: 0, bytes: 0, lastBytes: 0 }),
    ({ rows }) => rows === 0,
  );
  readonly #endpoints = new KeptMap<{ rows: number }>(
    () => ({ rows: 0 }),
    ({ rows }) => rows === 0,
  );
  #largest = 0;
  #largestAt = Number.NEGATIVE_INFINITY;
  /** Of their bodies. */
  bytes = 0;
  /** How many tenants have some of them. */
  tenantsWithBytes = 0;
  size = 0;
  /** How many endpoints have rows here. */
  endpoints = 0;
  /** How many rows are expected. */
  expected = 0;
  /** Null while no read is under way. */
  #letGoMeanwhile: HeldRow[] | null = null;

  has({ eventUuid, endpointNum }: DeliveryKey): boolean {
    return this.#rows.find(eventUuid, endpointNum, isHeld) !== undefined;
  }

  /**
   * Notes a row that a commit under way brings: whoever made that commit has it already, so that no read may take it for new, whenever it
   * becomes visible. It counts for nothing until it is added.
   */
  expect({ eventUuid, endpointNum, tenantNum, order, dueAtMs }: DueDelivery, lane: Lane): HeldRow {
    const row = {
      eventUuid,
      endpointNum,
      lane,
      order,
      tenantNum,
      bytes: 0,
      dueAtMs,
      since: performance.now(),
      state: 'expected' as const,
      next: null,
    };
    this.#rows.add(row);
    this.expected++;
    return row;
  }

  /** Its commit has ended: the row is added at once, or left to the next read. Nothing where a read has taken it already. */
  expectNoMore(row: HeldRow): void {
    if (row.state !== 'expected') return;
    row.state = 'let go';
    this.#rows.remove(row);
    this.expected--;
  }

  add({ eventUuid, endpointNum, tenantNum, order, dueAtMs }: DueDelivery, lane: Lane, bytes: number): void {
    this.#rows.add({
      eventUuid,
      endpointNum,
      lane,
      order,
      tenantNum,
      bytes,
      dueAtMs,
      since: 0,
      state: 'held',
      next: null,
    });
    this.size++;
    this.#count(tenantNum, 1, bytes);
    if (++this.#endpoints.of(endpointNum).rows === 1) this.endpoints++;
    lane.held++;
  }

  /** @returns how it was held; undefined when it is not held (any more). */
  letGo({ eventUuid, endpointNum }: DeliveryKey): Held | undefined {
    const row = this.#rows.find(eventUuid, endpointNum, isHeld);
    if (row === undefined) return undefined;
    row.state = 'let go';
    if (this.#letGoMeanwhile === null) this.#rows.remove(row);
    else this.#letGoMeanwhile.push(row);
    this.size--;
    this.#count(row.tenantNum, -1, -row.bytes);
    if (--this.#endpoints.of(endpointNum).rows === 0) this.endpoints--;
    row.lane.held--;
    return row;
  }

  /** Rows that such fetches come upon: they are in the table until they are settled. */
  metBy(fetches: readonly LaneFetch[]): readonly DeliveryKey[] {
    const from = new Map(fetches.map(({ lane, after }) => [lane, after.dueAtMs]));
    const keys: DeliveryKey[] = [];
    const now = performance.now();
    this.#rows.each((row) => {
      if (!isOverdue(row, now) && row.dueAtMs >= (from.get(row.lane.number) ?? Number.POSITIVE_INFINITY))
        keys.push(row);
    });
    return keys;
  }

  /** Rows of these endpoints. */
  ofEndpoints(endpointNums: ReadonlySet<number>): readonly DeliveryKey[] {
    const keys: DeliveryKey[] = [];
    this.#rows.each((row) => {
      if (row.state !== 'expected' && endpointNums.has(row.endpointNum)) keys.push(row);
    });
    return keys;
  }

  /** What this tenant has in memory. */
  loadOf(tenantNum: number): typeof NOTHING {
    return this.#loads.get(tenantNum) ?? NOTHING;
  }

  /** Tenants that have rows here. */
  get tenants(): readonly number[] {
    const tenants: number[] = [];
    for (const { tenantNum, rows } of this.#loads.values()) if (rows > 0) tenants.push(tenantNum);
    return tenants;
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
    const load = this.#loads.of(tenantNum);
    load.rows += rows;
    const hadBytes = load.bytes > 0;
    load.bytes += bytes;
    this.tenantsWithBytes += Number(load.bytes > 0) - Number(hadBytes);
    if (rows > 0) load.lastBytes = bytes;
  }

  /**
   * Reads rows and tells which of them are new here. A row that was settled while the statement was under way may still be in what it
   * saw: taking it for new would deliver it twice. One read at a time.
   */
  async read<Found extends { readonly rows: readonly DueDelivery[] }>(
    fetch: () => Promise<Found>,
  ): Promise<Found & { readonly fresh: readonly DueDelivery[] }> {
    const letGo: HeldRow[] = [];
    this.#letGoMeanwhile = letGo;
    try {
      const found = await fetch();
      return { ...found, fresh: found.rows.filter((row) => this.#isNew(row)) };
    } finally {
      this.#letGoMeanwhile = null;
      for (const row of letGo) this.#rows.remove(row);
    }
  }

  #isNew({ eventUuid, endpointNum }: DueDelivery): boolean {
    const known = this.#rows.find(eventUuid, endpointNum, isAny);
    if (known === undefined) return true;
    if (!isOverdue(known, performance.now())) return false;
    this.expectNoMore(known);
    return true;
  }
}

const isAny = () => true;

/** A commit that takes so long may never be answered, though it is done: who reads its rows by then takes them. */
const EXPECTED_MS = 1_000;

function isOverdue({ state, since }: HeldRow, now: number): boolean {
  return state === 'expected' && now - since > EXPECTED_MS;
}

const isHeld = ({ state }: HeldRow) => state === 'held';

export function keyOf({ eventUuid, endpointNum }: DeliveryKey): string {
  return `${eventUuid}${endpointNum}`;
}
