import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OrderMode } from '../domain/endpoint.ts';
import { laneOf } from '../routing/lane-of.ts';
import type { Subscription } from '../routing/subscription-clauses.ts';
import { TenantIndex } from '../routing/tenant-index.ts';
import { type MatchMeter, UNMETERED } from './match-meter.ts';
import type { Unit } from './plan-group.ts';
import { type Prepared, PreparedEntries, type RoutingEntry } from './prepared-entries.ts';

export interface LoadedRouting {
  readonly version: bigint;
  /** The version of the tenant's event types: it rises only together with `version`. Absent: the tenant never had any. */
  readonly rulesVersion?: bigint;
  readonly endpoints: readonly LoadedEndpoint[];
}

export interface LoadedEndpoint {
  readonly num: number;
  /** The version of its settings. Absent: it is read each time. */
  readonly version?: bigint;
  /** As JSON text: an endpoint whose text is the same is not compiled again. Null: as it is known of this version already. */
  readonly subscriptions: string | null;
  readonly order?: OrderMode;
}

/** What is known of an endpoint already. */
export interface KnownEndpoint {
  readonly version: bigint | undefined;
  readonly text: string;
}

/**
 * Reads a tenant's routing as committed; null when the tenant is gone.
 * @param known by number: what need not be read again where the version is the same
 */
export type LoadRouting = (
  tenantNum: number,
  known: ReadonlyMap<number, KnownEndpoint>,
) => Promise<LoadedRouting | null>;

interface Tenant {
  index: TenantIndex;
  readonly known: Map<number, KnownEndpoint>;
  /** Null: the tenant is gone, for good. Undefined until it was loaded, and from when it was forgotten. */
  entry: RoutingEntry | null | undefined;
  /** How often it was forgotten. A load that began before the last time does not bring it up to date. */
  generation: number;
  loading: { readonly generation: number; readonly promise: Promise<RoutingEntry | null> } | null;
  size: number;
}

export interface RoutingCapacity {
  readonly tenants: number;
  /** Of all tenants together. A clause that takes more memory than a usual one counts as several. A single tenant may have more than all of this. */
  readonly clauses: number;
}

const CAPACITY: RoutingCapacity = { tenants: 10_000, clauses: 250_000 };

/** Most bytes that a clause of a usual filter takes, with its text. */
const CLAUSE_BYTES = 2_000;

/** Longest work on an index at a stretch, in ms: others wait for the event loop meanwhile. */
const SLICE_MS = 8;

/**
 * Compiled routing by tenant. It may be stale: the commit compares versions and refuses, and then `forget` and `prepare` bring it up
 * to date, endpoint by endpoint. Least recently used tenants fall out.
 *
 * An index is changed in place, also for a group that took it at an older version. What such a group matches may then be of the old or of
 * the new version. That does no harm: the change was committed before it was loaded here, so that a commit by the older version is refused.
 */
export class RoutingCache {
  readonly #load: LoadRouting;
  readonly #lanes: number;
  readonly #capacity: RoutingCapacity;
  readonly #tenants = new Map<number, Tenant>();
  #size = 0;

  constructor(load: LoadRouting, lanes: number, capacity: RoutingCapacity = CAPACITY) {
    this.#load = load;
    this.#lanes = lanes;
    this.#capacity = capacity;
  }

  /** What is in memory of these tenants; reads nothing. @param meter limits how long their events are matched */
  atHand(tenants: Iterable<number>, meter: MatchMeter): Prepared {
    const prepared = new PreparedEntries(this.#laneOf, meter);
    for (const num of tenants) prepared.add(num, this.#touch(num).entry);
    return prepared.result();
  }

  /** The first tenant of these events whose routing has to be read; null: none has to. */
  firstMissing(unit: Unit): number | null {
    let last = -1;
    for (const { tenant } of unit) {
      if (tenant.num === last) continue;
      last = tenant.num;
      if (this.#tenants.get(last)?.entry === undefined) return last;
    }
    return null;
  }

  /** Whether `begin` would begin a read for this tenant: one that sees everything that is committed by now. */
  isToBeRead(num: number): boolean {
    const tenant = this.#tenants.get(num);
    if (tenant === undefined) return true;
    return tenant.entry === undefined && tenant.loading?.generation !== tenant.generation;
  }

  /** Begins to read what is missing or was forgotten, without waiting. If that fails, `prepare` throws it. */
  begin(tenants: Iterable<number>): void {
    for (const num of tenants) {
      const known = this.#entryOf(num);
      if (known instanceof Promise) known.catch(() => {});
    }
  }

  /** Reads what is missing or was forgotten, and waits for it. */
  async prepare(tenants: Iterable<number>): Promise<Prepared> {
    const prepared = new PreparedEntries(this.#laneOf, UNMETERED);
    const missing: Promise<void>[] = [];
    for (const num of new Set(tenants)) {
      const known = this.#entryOf(num);
      if (known instanceof Promise) missing.push(known.then((entry) => prepared.add(num, entry)));
      else prepared.add(num, known);
    }
    if (missing.length > 0) await Promise.all(missing);
    return prepared.result();
  }

  /**
   * Takes the routing of these tenants for stale: it is read again before it is used.
   * @param used by tenant, the version that was found stale; routing that is newer by now is kept
   */
  forget(tenants: Iterable<number>, used?: ReadonlyMap<number, bigint>): void {
    for (const num of tenants) {
      const tenant = this.#tenants.get(num);
      if (tenant === undefined) continue;
      const stale = used?.get(num);
      if (stale !== undefined && (tenant.entry?.version ?? -1n) > stale) continue;
      tenant.entry = undefined;
      tenant.generation++;
    }
  }

  /** Drops the tenants that were used least recently, down to the capacity. */
  trim(): void {
    const { tenants, clauses } = this.#capacity;
    for (const [num, { loading }] of this.#tenants) {
      const isWithin = this.#tenants.size <= tenants && this.#size <= clauses;
      if (isWithin || this.#tenants.size === 1) return;
      // Not while it is read: it would be read a second time beside that.
      if (loading === null) this.#drop(num);
    }
  }

  readonly #laneOf = (endpointNum: number): number => laneOf(endpointNum, this.#lanes);

  #entryOf(num: number): RoutingEntry | null | Promise<RoutingEntry | null> {
    const tenant = this.#touch(num);
    if (tenant.entry !== undefined) return tenant.entry;
    const { loading, generation } = tenant;
    if (loading?.generation === generation) return loading.promise;
    // One read after the other: two at once would both change the index.
    const read = () => this.#read(num, tenant);
    const promise = loading === null ? read() : loading.promise.then(read, read);
    tenant.loading = { generation, promise };
    return promise;
  }

  async #read(num: number, tenant: Tenant): Promise<RoutingEntry | null> {
    const { generation } = tenant;
    try {
      const loaded = await this.#load(num, tenant.known);
      const entry = loaded === null ? clear(tenant) : await bringUpToDate(tenant, loaded);
      if (tenant.generation === generation) tenant.entry = entry;
      this.#resize(num, tenant);
      return entry;
    } finally {
      if (tenant.loading?.generation === generation) tenant.loading = null;
    }
  }

  #touch(num: number): Tenant {
    const known = this.#tenants.get(num);
    const { tenants, clauses } = this.#capacity;
    // The order of use only matters once room gets short.
    if (known !== undefined && this.#tenants.size * 2 <= tenants && this.#size * 2 <= clauses) return known;
    const tenant = known ?? newTenant();
    if (known !== undefined) this.#tenants.delete(num);
    this.#tenants.set(num, tenant);
    return tenant;
  }

  #resize(num: number, tenant: Tenant): void {
    if (this.#tenants.get(num) !== tenant) return;
    const size = sizeOf(tenant);
    this.#size += size - tenant.size;
    tenant.size = size;
  }

  #drop(num: number): void {
    this.#size -= this.#tenants.get(num)?.size ?? 0;
    this.#tenants.delete(num);
  }
}

/** The size of a tenant's index, in usual clauses: a filter of long texts, or of many names, counts as many. */
function sizeOf({ index, known }: Tenant): number {
  let bytes = index.bytes;
  for (const { text } of known.values()) bytes += text.length;
  return Math.max(index.clauses, Math.ceil(bytes / CLAUSE_BYTES));
}

function newTenant(): Tenant {
  return { index: new TenantIndex(), known: new Map(), entry: undefined, generation: 0, loading: null, size: 0 };
}

function extrasOf({ endpoints, rulesVersion = 0n }: LoadedRouting): RoutingEntry['extras'] {
  const ordered = new Map(
    endpoints.flatMap(({ num, order = 'none' }) => (order === 'none' ? [] : [[num, order] as const])),
  );
  if (ordered.size === 0 && rulesVersion === 0n) return null;
  return { ...(ordered.size === 0 ? {} : { ordered }), ...(rulesVersion === 0n ? {} : { rulesVersion }) };
}

function clear(tenant: Tenant): null {
  tenant.index = new TenantIndex();
  tenant.known.clear();
  return null;
}

/** Changes in the index what differs from what was loaded, in slices between which others have the event loop. */
async function bringUpToDate({ index, known }: Tenant, loaded: LoadedRouting): Promise<RoutingEntry> {
  let sliceEnd = performance.now() + SLICE_MS;
  const rest = async () => {
    await nextTurn();
    sliceEnd = performance.now() + SLICE_MS;
  };
  const gone = new Set(known.keys());
  for (const { num, version, subscriptions: text } of loaded.endpoints) {
    gone.delete(num);
    if (text === null) continue;
    const isNew = known.get(num)?.text !== text;
    if (isNew) index.set({ num, subscriptions: JSON.parse(text) as Subscription[] });
    known.set(num, { version, text });
    if (isNew && performance.now() >= sliceEnd) await rest();
  }
  for (const num of gone) {
    index.delete(num);
    known.delete(num);
    if (performance.now() >= sliceEnd) await rest();
  }
  return { version: loaded.version, index, extras: extrasOf(loaded) };
}
