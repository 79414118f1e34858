import type pg from 'pg';
import type { BodyCache } from './body-cache.ts';
import { type EventBody, fetchBodies } from './mailbox.ts';

/** Bodies of events, from memory where they are known. Events whose partition is gone are absent. */
export async function readBodies(
  pool: pg.Pool,
  cache: BodyCache,
  uuids: readonly string[],
): Promise<Map<string, EventBody>> {
  const found = new Map<string, EventBody>();
  const missing: string[] = [];
  for (const uuid of uuids) {
    const body = cache.get(uuid);
    if (body === undefined) missing.push(uuid);
    else found.set(uuid, body);
  }
  if (missing.length === 0) return found;
  for (const [uuid, body] of await fetchBodies(pool, missing)) {
    cache.put(uuid, body);
    found.set(uuid, body);
  }
  return found;
}
