import type pg from 'pg';
import { uuids } from './binary-array.ts';
import type { BodyCache } from './body-cache.ts';
import type { EventBody } from './mailbox.ts';

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

const BODIES = (body: string) =>
  `SELECT id, external_id, ${body} AS body, expunged_at IS NOT NULL AS expunged FROM events WHERE id = ANY($1::uuid[])`;
const AS_TEXT = BODIES(`convert_from(body, 'UTF8')`);
const AS_BYTES = BODIES('body');

// As the text that they are: bytes are sent in hexadecimal digits, twice as long. The statement has no name, so that it is planned each time: a
// plan that is kept would be made of days that have few events yet, by going through all of them.
async function fetchBodies(pool: pg.Pool, ids: readonly string[]): Promise<Map<string, EventBody>> {
  const values = [uuids(ids, (id) => id)];
  const { rows } = await pool.query<BodyRow>({ text: AS_TEXT, values }).catch((error: unknown) => {
    if (!NO_TEXT.has((error as { code?: string }).code ?? '')) throw error;
    return pool.query<BodyRow>({ text: AS_BYTES, values });
  });
  return new Map(
    rows.map(({ id, external_id, body, expunged }) => [
      id,
      { externalId: external_id, body: typeof body === 'string' ? Buffer.from(body) : body, expunged },
    ]),
  );
}

/** SQLSTATEs where one of the bodies is not valid UTF-8, as nothing is that we wrote, or has letters that the database's encoding has not. */
const NO_TEXT: ReadonlySet<string> = new Set(['22021', '22P05']);

interface BodyRow {
  id: string;
  external_id: string | null;
  body: string | Buffer;
  expunged: boolean;
}
