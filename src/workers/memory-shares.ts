import { Reserve } from './reserve.ts';
import type { RowsInMemory } from './rows-in-memory.ts';

export interface MemoryLimits {
  /** Requests that may be under way at once; twice as many rows fit. */
  readonly maxInFlight: number;
  /** Bytes of bodies that may be in memory. */
  readonly maxBytes: number;
  /** Least time between two fetches just now, in ms: see `BusyPause`. */
  readonly pauseMs: () => number;
}

/**
 * Counts out the bytes that are free to rows that are about to come into memory, as if each body were as large as the last one of its
 * tenant.
 */
export interface BytePlaces {
  /** Whether one more of this tenant may come. */
  has(tenantNum: number): boolean;
  take(tenantNum: number): void;
}

/**
 * Rows and bytes that a tenant may have in memory for each that is free: a dynamic threshold, as the slots have (`send-scheduler.ts`). What
 * is left is there for the others, however many endpoints one tenant has.
 */
const TENANT_SHARE = 3;

/**
 * Bytes that are left to tenants that hold few, as a share of all. Twice that of the slots: few large bodies fit, and of the reserve each
 * takes a good deal. Where as few fit as the configuration allows, it is one body.
 */
const RESERVE_SHARE = 1 / 8;

/** What may wait for one endpoint at the most, as a share of the rows that fit, however much it takes at once. */
const MOST_OF_MEMORY = 0.5;

/** Requests under way at once from which on the pause is what it is. */
const UNSHORTENED = 1_024;

/** What commits may bring from memory, as a share of what a fetch may bring. */
const NEW_SHARE = 0.5;

/** How often rows are fetched while one tenant has its whole share of memory and keeps it, or bytes are short, in ms. */
const LOOK_FOR_OTHERS_MS = 10;

/** Who may have how much of a worker's memory. */
export class MemoryShares {
  readonly #inMemory: RowsInMemory;
  readonly #limits: MemoryLimits;
  readonly #reserve: Reserve;
  readonly #isCrowded: () => boolean;
  #fetchedAt = Number.NEGATIVE_INFINITY;

  /** @param isCrowded whether a row that finds no place is parked before its body is read: see `Crowding` */
  constructor(inMemory: RowsInMemory, limits: MemoryLimits, isCrowded: () => boolean) {
    this.#inMemory = inMemory;
    this.#limits = limits;
    this.#isCrowded = isCrowded;
    this.#reserve = new Reserve(limits.maxBytes, RESERVE_SHARE);
  }

  /** Rows that still fit. */
  get freeRows(): number {
    return this.#limits.maxInFlight * 2 - this.#inMemory.size;
  }

  /**
   * Rows to fetch now: as many as fit though all of them be one tenant's, so that no row that was read has to be parked again. Small
   * fetches cost as much as large ones: below a part of the window it is not worth asking, but now and then others are looked for all the
   * same.
   */
  get rowsToFetchNow(): number {
    const now = performance.now();
    const sinceMs = now - this.#fetchedAt;
    if (sinceMs < this.#pauseMs() || (this.areBytesShort && sinceMs < LOOK_FOR_OTHERS_MS)) return 0;
    return this.#freeRowsAt(now);
  }

  /** Shorter where few rows fit: they must not run out before it is over. */
  #pauseMs(): number {
    const { pauseMs, maxInFlight } = this.#limits;
    return pauseMs() * Math.min(1, maxInFlight / UNSHORTENED);
  }

  /** Whether it is time for a fetch, and there is room for what it brings. */
  get isFetchDue(): boolean {
    return this.rowsToFetchNow > 0;
  }

  /** Whether memory is not short, be it time for a fetch or not. */
  get hasRowsFree(): boolean {
    return this.#freeRowsAt(performance.now()) > 0;
  }

  /** Rows that may come from commits under way, without taking all the room that reads need. */
  get rowsForHandOver(): number {
    return Math.floor(this.#freeRowsAt(performance.now()) * NEW_SHARE) - this.#inMemory.expected;
  }

  #freeRowsAt(now: number): number {
    const { freeRows } = this;
    const { maxInFlight } = this.#limits;
    if (freeRows < maxInFlight / 2 || !this.isReadUseful) return 0;
    const ofOneTenant = Math.floor((TENANT_SHARE * freeRows - this.#inMemory.largestLoad(now)) / (TENANT_SHARE + 1));
    if (ofOneTenant >= maxInFlight / 4) return ofOneTenant;
    return now - this.#fetchedAt >= LOOK_FOR_OTHERS_MS ? freeRows : 0;
  }

  noteFetch(now: number): void {
    this.#fetchedAt = now;
  }

  get hasBytes(): boolean {
    return this.#freeBytes > 0;
  }

  get #freeBytes(): number {
    return this.#limits.maxBytes - this.#inMemory.bytes;
  }

  /** Whether only those find bytes that hold few. */
  get areBytesShort(): boolean {
    return this.#freeBytes <= this.#reserve.size;
  }

  /**
   * Whether reading rows helps. With no byte free it does only in crowded mode: rows without a place are parked there before their bodies
   * are read, so that rows behind them are found and get the next bytes.
   */
  get isReadUseful(): boolean {
    return this.hasBytes || this.#isCrowded();
  }

  /**
   * Bytes of bodies to read at once, however many are free: for the few that are, each body would be read by itself, and what has no place
   * here would keep it so. By as much memory may hold more than the limit says.
   */
  get bytesToRead(): number {
    return this.#limits.maxBytes / 2;
  }

  /** Whether more rows of this tenant may come into memory. */
  tenantMayHaveMore(tenantNum: number): boolean {
    const { rows, bytes } = this.#inMemory.loadOf(tenantNum);
    return rows < TENANT_SHARE * this.freeRows && (bytes === 0 || this.#mayHoldMore(bytes, this.#freeBytes));
  }

  #mayHoldMore(bytes: number, free: number): boolean {
    if (free > this.#reserve.size && bytes < TENANT_SHARE * free) return true;
    return this.#reserve.isFor(bytes, free, this.#inMemory.tenantsWithBytes);
  }

  bytePlaces(): BytePlaces {
    const inMemory = this.#inMemory;
    const taken = new Map<number, number>();
    let all = 0;
    return {
      has: (tenantNum) =>
        this.#mayHoldMore(inMemory.loadOf(tenantNum).bytes + (taken.get(tenantNum) ?? 0), this.#freeBytes - all),
      take: (tenantNum) => {
        const bytes = inMemory.loadOf(tenantNum).lastBytes || inMemory.bytes / Math.max(1, inMemory.size);
        taken.set(tenantNum, (taken.get(tenantNum) ?? 0) + bytes);
        all += bytes;
      },
    };
  }

  /**
   * Tenants that have their share: seldom more than one, because each that has it leaves less to the others; while bytes are short, all
   * that have some.
   */
  fullTenants(): number[] {
    return this.#inMemory.tenants.filter((num) => !this.tenantMayHaveMore(num));
  }

  /**
   * Rows that may wait for one endpoint, so that one with a backlog leaves place for the others.
   * @param cap requests that it takes at once, or within a second
   * @param busy endpoints that have rows in memory
   */
  rowsPerEndpoint(cap: number, busy: number): number {
    const all = this.#limits.maxInFlight * 2;
    return Math.min(Math.max(2 * cap, all / (busy + 1)), Math.max(all * MOST_OF_MEMORY, 2));
  }
}
