import type { Servers } from './servers.ts';

export const OPERATOR_KEY = 'pho_chaos_operator_key_0123456789';
export const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

/** Requests that one worker may have under way: with it a crash explains so many repeats. */
export const MAX_IN_FLIGHT = 128;

/** What every process is started with; it may deliver to loopback. */
export function environmentOf({ databaseUrl, redisUrl, egressProxy }: Servers): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    EGRESS_PROXY_URL: egressProxy?.url ?? '',
    OPERATOR_KEY,
    MASTER_KEY,
    LANES: '8',
    PORT: '0',
    ALLOWED_NETWORKS: '127.0.0.0/8,::1/128',
    SHUTDOWN_SECONDS: '8',
    MAX_DELIVERIES_IN_FLIGHT: String(MAX_IN_FLIGHT),
  };
}
