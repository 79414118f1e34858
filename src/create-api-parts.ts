import type pg from 'pg';
import { Authenticator, type AuthenticatorOptions } from './api/authenticator.ts';
import { Cursors } from './api/cursor.ts';
import { FilterTrials } from './api/filter-trials.ts';
import { TenantTurnstile, type TurnstileBounds } from './api/tenant-turnstile.ts';
import { within } from './api/within.ts';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import { shareLookups } from './ingest/share-lookups.ts';
import type { Clock } from './store/clock.ts';
import { findKeys, mayBeKey } from './store/find-api-keys.ts';
import { findTenant } from './store/tenants.ts';

export interface ApiOptions extends Pick<Context, 'config' | 'clock' | 'prisma'> {
  readonly accessPool: pg.Pool;
  readonly operatorKey: string;
  /** Cursors are authenticated by a key that is derived from this. */
  readonly masterKey: string;
}

/** What only calls of the API need: who is calling, which tenant is meant, and whose turn it is. */
export type ApiParts = Pick<Context, 'authenticator' | 'cursors' | 'scanTurns' | 'lockTurns' | 'trials' | 'findTenant'>;

export function createApiParts({ config, clock, prisma, accessPool, operatorKey, masterKey }: ApiOptions): ApiParts {
  return {
    authenticator: new Authenticator({
      operatorKey,
      find: createKeyFinder(config, accessPool, clock),
      pgNowMs: () => clock.nowMs(),
    }),
    cursors: new Cursors(masterKey),
    scanTurns: new TenantTurnstile(scanBounds(config.DATABASE_API_CONNECTIONS)),
    lockTurns: new TenantTurnstile(lockBounds(config.DATABASE_API_CONNECTIONS)),
    trials: new FilterTrials(),
    findTenant: (id) => findTenant(prisma, id),
  };
}

/** Scans that may wait, of one tenant. */
const WAITING_SCANS = 32;
/** Calls of one tenant that may wait for its lock: a script may send many at once, and one that waits takes hardly anything. */
const WAITING_FOR_LOCKS = 1_000;

/** Half of the connections for scans, and half of these for those of one tenant. */
function scanBounds(connections: number): TurnstileBounds {
  const most = Math.max(1, Math.floor(connections / 2));
  return { most, mostOfTenant: Math.max(1, Math.floor(most / 2)), mostWaiting: WAITING_SCANS };
}

/** Few at once, so that lists keep connections of their own. Those of one tenant go one after the other: its lock would have them do so anyway. */
function lockBounds(connections: number): TurnstileBounds {
  return { most: Math.max(1, Math.floor(connections / 4)), mostOfTenant: 1, mostWaiting: WAITING_FOR_LOCKS };
}

/** Bounds of one lookup, and of what waits for the next. Past that, keys that the process does not know are refused. */
const UNKNOWN_KEYS = { most: 1_000, mostWaiting: 4_000 };
const KNOWN_KEYS = { most: 1_000, mostWaiting: 10_000 };

/** Keys that were good before are looked up apart: they do not wait behind keys that somebody may have made up. */
function createKeyFinder(config: Config, pool: pg.Pool, clock: Clock): AuthenticatorOptions['find'] {
  const patienceMs = config.INGEST_DEADLINE_MS;
  const find = (keys: readonly string[]) => findKeys(pool, keys, clock.nowMs());
  const findKnown = shareLookups(find, { ...KNOWN_KEYS, patienceMs });
  const findUnknown = shareLookups(find, { ...UNKNOWN_KEYS, patienceMs });
  return async (key, wasKnown) => {
    if (!mayBeKey(key)) return null;
    const found = await within(patienceMs, (wasKnown ? findKnown : findUnknown)([key]));
    return found.get(key) ?? null;
  };
}
