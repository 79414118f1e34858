import type pg from 'pg';
import { within } from './api/within.ts';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import type { TenantRef } from './domain/caller.ts';
import type { CompileTurns } from './event-types/compile-turns.ts';
import { TypeRules } from './event-types/type-rules.ts';
import type { LoadedRouting, LoadRouting } from './ingest/routing-cache.ts';
import { shareLoads } from './ingest/share-loads.ts';
import { shareLookups } from './ingest/share-lookups.ts';
import { loadLightRouting, loadRouting } from './store/routing.ts';
import { findTenantRefs } from './store/tenants.ts';
import {
  loadLightTypeRules,
  loadSchema,
  loadTypeRules,
  loadTypesVersions,
  type StoredTypeRules,
} from './store/type-rules.ts';

export interface LookupPools {
  /** For short reads. */
  readonly accessPool: pg.Pool;
  /** For reading tenants that have much. However long that takes, it takes no connection from short reads. */
  readonly routingPool: pg.Pool;
}

/** How many tenants are read in one statement, and how many may wait for theirs. */
const TENANT_LOADS = { most: 64, mostWaiting: 20_000 };
/** The same for what is little of each. */
const LOOKUPS = { most: 1_000, mostWaiting: 50_000 };

/** Builds the reads of what a tenant's events are matched with. */
export function createRoutingLoads(
  { INGEST_DEADLINE_MS: patienceMs }: Config,
  { accessPool, routingPool }: LookupPools,
): LoadRouting {
  return shareLoads<LoadedRouting, [known: Parameters<LoadRouting>[1]]>(
    {
      light: (tenantNums) => loadLightRouting(accessPool, tenantNums),
      whole: (tenantNum, known) => loadRouting(routingPool, tenantNum, known),
    },
    { ...TENANT_LOADS, patienceMs },
  );
}

/** Builds the event types that a tenant's events are checked by, with the reads that they need. */
export function createTypeRules(
  { INGEST_DEADLINE_MS: patienceMs }: Config,
  { commitPool, accessPool, routingPool }: LookupPools & { readonly commitPool: pg.Pool },
  turns: CompileTurns,
): TypeRules {
  const load = shareLoads<StoredTypeRules, []>(
    {
      light: (tenantNums) => loadLightTypeRules(accessPool, tenantNums),
      whole: (tenantNum) => loadTypeRules(routingPool, tenantNum),
    },
    { ...TENANT_LOADS, patienceMs },
  );
  const versions = shareLookups((tenantNums: readonly number[]) => loadTypesVersions(commitPool, tenantNums), {
    ...LOOKUPS,
    patienceMs,
  });
  return new TypeRules({
    load: (tenantNum) => within(patienceMs, load(tenantNum)),
    loadVersion: async (tenantNum) => (await within(patienceMs, versions([tenantNum]))).get(tenantNum) ?? 0n,
    turns,
    loadSchema: (...version) => within(patienceMs, loadSchema(commitPool, ...version)),
  });
}

const REMEMBERED_TENANTS = 10_000;

/**
 * Builds what finds the tenant of an id, from memory if it is known. To remember tenants is safe: their ids and numbers never change, and the
 * commit notices those that were deleted. Those who ask while a lookup is under way share the next one.
 */
export function createTenantRecall({ INGEST_DEADLINE_MS: patienceMs }: Config, pool: pg.Pool): Context['recallTenant'] {
  const known = new Map<string, TenantRef>();
  const find = shareLookups((ids: readonly string[]) => findTenantRefs(pool, ids), {
    ...LOOKUPS,
    patienceMs,
  });
  const look = async (id: string) => {
    const tenant = (await within(patienceMs, find([id]))).get(id);
    if (tenant === undefined) return null;
    if (known.size >= REMEMBERED_TENANTS) known.clear();
    known.set(id, tenant);
    return tenant;
  };
  return (id) => known.get(id) ?? look(id);
}
