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
  /** Of the tenant's event types: it rises only together with `version`. Absent: it never had any. */
  readonly rulesVersion?: bigint;
  readonly endpoints: readonly LoadedEndpoint[];
}

export interface LoadedEndpoint {
  readonly num: number;
  /** Of its settings; absent: it is read each time. */
  readonly version?: bigint;
  /** As JSON text: an endpoint whose text is the same is not compiled again. Null: what is known of this version. */
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
  /** How often it was forgotten: a load that began before brings nothing new. */
  generation: number;
  loading: { readonly generation: number; readonly promise: Promise<RoutingEntry | null> } | null;
  size: number;
}

export interface RoutingCapacity {
  readonly tenants: number;
  /** Of all tenants together; what takes more than a usual clause counts as several. One tenant may have more. */
  readonly clauses: number;
}

const CAPACITY: RoutingCapacity = { tenants: 10_000, clauses: 250_000 };

/** Most that a clause of a usual filter takes, with its text. */
const CLAUSE_BYTES = 2_000;

/** Longest work on an index at a stretch: others wait for the event loop. */
const SLICE_MS = 8;

/**
 * Compiled routing by tenant. It may be stale: the commit compares versions and refuses, and then `forget` and `prepare` bring it up
 * to date, endpoint by endpoint. Least recently used tenants fall out.
 *
 * An index changes under those who prepared with its older version. What they match then may be of either set, and it does not matter:
 * the change was committed before it was loaded here, so that the commit of the older version is refused.
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

  /** What is known of these tenants, at once. @param meter is told how long it takes to match their events, and ends it */
  atHand(tenants: Iterable<number>, meter: MatchMeter): Prepared {
    const prepared = new PreparedEntries(this.#laneOf, meter);
    for (const num of tenants) prepared.add(num, this.#touch(num).entry);
    return prepared.result();
  }

  /** The first tenant of these events that has to be prepared; null when none has. */
  firstMissing(unit: Unit): number | null {
    let last = -1;
    for (const { tenant } of unit) {
      if (tenant.num === last) continue;
      last = tenant.num;
      if (this.#tenants.get(last)?.entry === undefined) return last;
    }
    return null;
  }

  /** Whether to prepare this tenant is to begin a read, of which all that was committed until now is part. */
  isToBeRead(num: number): boolean {
    const tenant = this.#tenants.get(num);
    if (tenant === undefined) return true;
    return tenant.entry === undefined && tenant.loading?.generation !== tenant.generation;
  }

  /** Begins to read what is missing or was forgotten; who prepares it meets what that fails by. */
  begin(tenants: Iterable<number>): void {
    for (const num of tenants) {
      const known = this.#entryOf(num);
      if (known instanceof Promise) known.catch(() => {});
    }
  }

  /** Reads what is missing or was forgotten. */
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
   * Takes what is known of these tenants for stale.
   * @param used the versions that were found stale: what is newer already is kept
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

  /** Drops what was least recently used. */
  trim(): void {
    const { tenants, clauses } = this.#capacity;
    for (const [num, { loading }] of this.#tenants) {
      const isWithin = this.#tenants.size <= tenants && this.#size <= clauses;
      if (isWithin || this.#tenants.size === 1) return;
      // Dropped while it is read, it would be read twice at once.
      if (loading === null) this.#drop(num);
    }
  }

  readonly #laneOf = (endpointNum: number): number => laneOf(endpointNum, this.#lanes);

  #entryOf(num: number): RoutingEntry | null | Promise<RoutingEntry | null> {
    const tenant = this.#touch(num);
    if (tenant.entry !== undefined) return tenant.entry;
    const { loading, generation } = tenant;
    if (loading?.generation === generation) return loading.promise;
    // One after the other: two at once would change the index between each other.
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
    // As long as there is much room, the order does not matter.
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

/** In clauses: filters of long texts, or of many names, take the room of many. */
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

/** Changes what is not as it was, in slices. */
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
