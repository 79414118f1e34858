import { laneOf } from '../routing/lane-of.ts';
import { type RoutedEndpoint, TenantRouting } from '../routing/tenant-routing.ts';
import type { Matcher } from './plan-group.ts';

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

/** Tenants whose compiled routing is kept in memory. */
const CAPACITY = 10_000;

/**
 * Compiled routing by tenant. It may be stale: the commit compares versions and refuses, and then `forget` and `load` bring it up
 * to date. Least recently used tenants fall out.
 */
export class RoutingCache implements Matcher {
  readonly #load: LoadRouting;
  readonly #lanes: number;
  readonly #entries = new Map<number, Entry>();

  constructor(load: LoadRouting, lanes: number) {
    this.#load = load;
    this.#lanes = lanes;
  }

  /** Makes sure that these tenants can be matched. @returns those that are gone. */
  async prepare(tenants: Iterable<number>): Promise<readonly number[]> {
    const missing = [...new Set(tenants)].filter((num) => !this.#touch(num));
    const gone = await Promise.all(
      missing.map(async (num) => {
        const loaded = await this.#load(num);
        if (loaded === null) return [num];
        this.#entries.set(num, { version: loaded.version, routing: new TenantRouting(loaded.endpoints) });
        return [];
      }),
    );
    return gone.flat();
  }

  forget(tenants: Iterable<number>): void {
    for (const num of tenants) this.#entries.delete(num);
  }

  /** Drops what was least recently used. Called between commits, so that a prepared tenant stays until its commit is planned. */
  trim(): void {
    for (const num of this.#entries.keys()) {
      if (this.#entries.size <= CAPACITY) return;
      this.#entries.delete(num);
    }
  }

  match(tenantNum: number, type: string) {
    const entry = this.#entries.get(tenantNum);
    if (entry === undefined) throw new Error('A tenant was matched before its routing was loaded.');
    const endpoints = entry.routing.match(type).map((num) => ({ num, lane: laneOf(num, this.#lanes) }));
    return { version: entry.version, endpoints };
  }

  #touch(num: number): boolean {
    const entry = this.#entries.get(num);
    if (entry === undefined) return false;
    this.#entries.delete(num);
    this.#entries.set(num, entry);
    return true;
  }
}
