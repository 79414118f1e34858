import type pg from 'pg';
import { uuids } from './binary-array.ts';
import type { BodyCache } from './body-cache.ts';
import { column } from './columns.ts';
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

const BODIES = (text: string, bytes: string) =>
  `SELECT id, external_id, ${text} AS text, ${bytes} AS bytes, expunged_at IS NOT NULL AS expunged FROM events WHERE id = ANY($1::uuid[])`;
// Only where the database speaks UTF-8 itself: what goes to another encoding and back may come as another letter (¦ does, by EUC_JP).
const IS_UTF8 = `getdatabaseencoding() = 'UTF8'`;
const AS_TEXT = BODIES(
  `CASE WHEN ${IS_UTF8} THEN convert_from(body, 'UTF8') END`,
  `CASE WHEN NOT (${IS_UTF8}) THEN body END`,
);
const AS_BYTES = BODIES('NULL', 'body');

// As the text that they are: bytes are sent in hexadecimal digits, twice as long. The statement has no name, so that it is planned each time: a
// plan that is kept would be made of days that have few events yet, by going through all of them.
async function fetchBodies(pool: pg.Pool, ids: readonly string[]): Promise<Map<string, EventBody>> {
  const values = [IDS(ids)];
  const { rows } = await pool.query<BodyRow>({ text: AS_TEXT, values }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== NO_TEXT) throw error;
    return pool.query<BodyRow>({ text: AS_BYTES, values });
  });
  const bodies = new Map<string, EventBody>();
  for (const { id, external_id, text, bytes, expunged } of rows)
    bodies.set(id, { externalId: external_id, body: text === null ? bytes! : Buffer.from(text), expunged });
  return bodies;
}

const IDS = column(uuids, (id: string) => id);

/** The SQLSTATE where one of the bodies is not valid UTF-8, as nothing is that we wrote. */
const NO_TEXT = '22021';

interface BodyRow {
  id: string;
  external_id: string | null;
  text: string | null;
  bytes: Buffer | null;
  expunged: boolean;
}
