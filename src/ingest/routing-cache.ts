import { laneOf } from '../routing/lane-of.ts';
import { type RoutedEndpoint, TenantRouting } from '../routing/tenant-routing.ts';
import type { Match, Matcher } from './plan-group.ts';

export interface LoadedRouting {
  readonly version: bigint;
  readonly endpoints: readonly RoutedEndpoint[];
}

/** Reads a tenant's routing as committed; null when the tenant is gone. */
export type LoadRouting = (tenantNum: number) => Promise<LoadedRouting | null>;

interface Entry {
  readonly version: bigint;
  readonly routing: TenantRouting;
}

/** Tenants that are gone, and a matcher for the others. */
export interface Prepared {
  readonly gone: ReadonlySet<number>;
  readonly matcher: Matcher;
}

/** Tenants whose compiled routing is kept in memory. */
const CAPACITY = 10_000;

/**
 * Compiled routing by tenant. It may be stale: the commit compares versions and refuses, and then `forget` and `load` bring it up
 * to date. Least recently used tenants fall out.
 */
export class RoutingCache {
  readonly #load: LoadRouting;
  readonly #lanes: number;
  readonly #entries = new Map<number, Entry>();

  constructor(load: LoadRouting, lanes: number) {
    this.#load = load;
    this.#lanes = lanes;
  }

  /**
   * Reads what is missing. The matcher keeps the routing that it was made with, so that what another group forgets meanwhile does
   * not pull it away: the commit finds out whether it was stale.
   */
  async prepare(tenants: Iterable<number>): Promise<Prepared> {
    const entries = new Map<number, Entry>();
    const gone = new Set<number>();
    await Promise.all(
      [...new Set(tenants)].map(async (num) => {
        const entry = this.#touch(num) ?? (await this.#read(num));
        if (entry === null) gone.add(num);
        else entries.set(num, entry);
      }),
    );
    return { gone, matcher: { match: (num, type) => matchIn(entries, num, type), laneOf: this.#laneOf } };
  }

  forget(tenants: Iterable<number>): void {
    for (const num of tenants) this.#entries.delete(num);
  }

  /** Drops what was least recently used. */
  trim(): void {
    for (const num of this.#entries.keys()) {
      if (this.#entries.size <= CAPACITY) return;
      this.#entries.delete(num);
    }
  }

  readonly #laneOf = (endpointNum: number): number => laneOf(endpointNum, this.#lanes);

  async #read(num: number): Promise<Entry | null> {
    const loaded = await this.#load(num);
    if (loaded === null) return null;
    const entry = { version: loaded.version, routing: new TenantRouting(loaded.endpoints) };
    this.#entries.set(num, entry);
    return entry;
  }

  #touch(num: number): Entry | undefined {
    const entry = this.#entries.get(num);
    if (entry === undefined) return undefined;
    this.#entries.delete(num);
    this.#entries.set(num, entry);
    return entry;
  }
}

function matchIn(entries: ReadonlyMap<number, Entry>, tenantNum: number, type: string): Match {
  const entry = entries.get(tenantNum);
  if (entry === undefined) throw new Error('A tenant was matched before its routing was loaded.');
  return { version: entry.version, endpoints: entry.routing.match(type) };
}
