import type pg from 'pg';
import { uuids } from './binary-array.ts';
import type { BodyCache } from './body-cache.ts';
import { column } from './columns.ts';
import type { EventBody } from './mailbox.ts';

export interface FoundBodies {
  /** Events whose partition is gone are absent. */
  readonly bodies: ReadonlyMap<string, EventBody>;
  /** Those that are still to be read. */
  readonly left: ReadonlySet<string>;
}

/**
 * Bodies of events, from memory if they are there. Of the others it reads as many as fit into `maxBytes`, oldest first, but at least one. The
 * limit is needed because nobody knows their size before, and all that a statement brings is in memory two or three times for a moment.
 */
export async function readBodies(
  pool: pg.Pool,
  cache: BodyCache,
  uuids: readonly string[],
  maxBytes: number,
): Promise<FoundBodies> {
  const bodies = new Map<string, EventBody>();
  const left = new Set<string>();
  const missing: string[] = [];
  for (const uuid of uuids) {
    const body = cache.get(uuid);
    if (body === undefined) missing.push(uuid);
    else bodies.set(uuid, body);
  }
  if (missing.length === 0) return { bodies, left };
  for (const row of await fetchBodies(pool, missing, maxBytes)) {
    if (!row.fits) {
      left.add(row.id);
      continue;
    }
    const body = bodyOf(row);
    cache.put(row.id, body);
    bodies.set(row.id, body);
  }
  return { bodies, left };
}

// Postgres knows the size of a body without reading it, so that it reads none that does not fit.
const BODIES = (text: string, bytes: string) =>
  `SELECT id, external_id, CASE WHEN fits THEN ${text} END AS text, CASE WHEN fits THEN ${bytes} END AS bytes, expunged_at IS NOT NULL AS expunged, fits
     FROM (SELECT id, external_id, body, expunged_at, sum(octet_length(body)) OVER before <= $2 OR row_number() OVER before = 1 AS fits
             FROM events WHERE id = ANY($1::uuid[])
           WINDOW before AS (ORDER BY id ROWS UNBOUNDED PRECEDING)) e`;
// As text only if the database's encoding is UTF-8: on the way to another encoding and back a character may change (¦ does, by EUC_JP).
const IS_UTF8 = `getdatabaseencoding() = 'UTF8'`;
const AS_TEXT = BODIES(
  `CASE WHEN ${IS_UTF8} THEN convert_from(body, 'UTF8') END`,
  `CASE WHEN NOT (${IS_UTF8}) THEN body END`,
);
const AS_BYTES = BODIES('NULL', 'body');

// Bodies are read as text: bytes would be sent as hexadecimal digits, twice as long. The statement has no name, so that it is planned each
// time: a kept plan might be from a time when the day had few events, and scan all of them.
async function fetchBodies(pool: pg.Pool, ids: readonly string[], maxBytes: number): Promise<readonly BodyRow[]> {
  const values = [IDS(ids), Math.floor(maxBytes)];
  const { rows } = await pool.query<BodyRow>({ text: AS_TEXT, values }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== NO_TEXT) throw error;
    return pool.query<BodyRow>({ text: AS_BYTES, values });
  });
  return rows;
}

function bodyOf({ external_id: externalId, text, bytes, expunged }: BodyRow): EventBody {
  return { externalId, body: text === null ? bytes! : Buffer.from(text), expunged };
}

const IDS = column(uuids, (id: string) => id);

/** The SQLSTATE for a body that is not valid UTF-8. None that we wrote is like that: it must have been damaged. */
const NO_TEXT = '22021';

interface BodyRow {
  id: string;
  external_id: string | null;
  text: string | null;
  bytes: Buffer | null;
  expunged: boolean;
  fits: boolean;
}
