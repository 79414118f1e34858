import { KeptMap } from '../accounts/kept-map.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { DueDelivery, LaneFetch, OrderPlace } from '../store/mailbox.ts';
import type { Lane } from './lane.ts';
import { RowTable, type TableRow } from './row-table.ts';

/** What is known of a row in memory: among others the lane that it was fetched under, and its place in the order of its key. */
export interface RowDetails extends DeliveryKey {
  readonly lane: Lane;
  readonly order: OrderPlace | null;
  readonly tenantNum: number;
  readonly bytes: number;
}

export interface RowInMemory extends RowDetails, TableRow<RowInMemory> {
  readonly dueAtMs: number;
  /** Since when it is expected, in ms of `performance.now()`. Nobody asks this of other rows. */
  readonly since: number;
  /** `expected`: its commit is under way. */
  state: 'expected' | 'in memory' | 'let go';
}

/** What a tenant has in memory. */
interface Load {
  readonly tenantNum: number;
  rows: number;
  bytes: number;
  /** Bytes of the body that came last. */
  lastBytes: number;
}

/** For how long the largest load is kept, in ms: it is asked for after each request that ends, and finding it goes through all tenants. */
const LARGEST_MS = 3;

const NOTHING: Readonly<Omit<Load, 'tenantNum'>> = { rows: 0, bytes: 0, lastBytes: 0 };

/** The rows that a process has in memory. */
export class RowsInMemory {
  /** Also rows that are expected, and rows that were let go since the read under way began. */
  readonly #rows = new RowTable<RowInMemory>();
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
  /** Bytes of their bodies. */
  bytes = 0;
  /** How many tenants have bodies here. */
  tenantsWithBytes = 0;
  size = 0;
  /** How many endpoints have rows here. */
  endpoints = 0;
  /** How many rows are expected. */
  expected = 0;
  /** Rows that were let go since the read under way began; null while no read is under way. */
  #letGoMeanwhile: RowInMemory[] | null = null;

  has({ eventUuid, endpointNum }: DeliveryKey): boolean {
    return this.#rows.find(eventUuid, endpointNum, isInMemory) !== undefined;
  }

  /**
   * Notes a row that a commit under way brings. Whoever makes that commit has the row already: no read may take it for new, whenever it
   * becomes visible. It does not count as a row in memory until it is added.
   */
  expect({ eventUuid, endpointNum, tenantNum, order, dueAtMs }: DueDelivery, lane: Lane): RowInMemory {
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

  /**
   * Its commit has ended: the caller adds the row at once, or leaves it to the next read. Does nothing if a read has taken the row already.
   */
  expectNoMore(row: RowInMemory): void {
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
      state: 'in memory',
      next: null,
    });
    this.size++;
    this.#count(tenantNum, 1, bytes);
    if (++this.#endpoints.of(endpointNum).rows === 1) this.endpoints++;
    lane.rowsInMemory++;
  }

  /** @returns what was known of it; undefined when it is not in memory (any more) */
  letGo({ eventUuid, endpointNum }: DeliveryKey): RowDetails | undefined {
    const row = this.#rows.find(eventUuid, endpointNum, isInMemory);
    if (row === undefined) return undefined;
    row.state = 'let go';
    if (this.#letGoMeanwhile === null) this.#rows.remove(row);
    else this.#letGoMeanwhile.push(row);
    this.size--;
    this.#count(row.tenantNum, -1, -row.bytes);
    if (--this.#endpoints.of(endpointNum).rows === 0) this.endpoints--;
    row.lane.rowsInMemory--;
    return row;
  }

  /** Rows in memory that these fetches will meet: a row stays in the table until it is settled. */
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
   * Reads rows and tells which of them are new here. A row that was settled while the statement was under way may still be in its
   * answer: to take it for new would deliver it twice. One read at a time.
   */
  async read<Found extends { readonly rows: readonly DueDelivery[] }>(
    fetch: () => Promise<Found>,
  ): Promise<Found & { readonly fresh: readonly DueDelivery[] }> {
    const letGo: RowInMemory[] = [];
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

/** A commit that takes longer than this, in ms, may have been made and never be answered: a read that finds its rows then takes them. */
const EXPECTED_MS = 1_000;

function isOverdue({ state, since }: RowInMemory, now: number): boolean {
  return state === 'expected' && now - since > EXPECTED_MS;
}

const isInMemory = ({ state }: RowInMemory) => state === 'in memory';

export function keyOf({ eventUuid, endpointNum }: DeliveryKey): string {
  return `${eventUuid}${endpointNum}`;
}
