import type pg from 'pg';
import { parseEventId } from '../domain/ids.ts';
import { type ScanStep, scanPage } from './bounded-scan.ts';
import { withinBytes } from './page-bytes.ts';
import { type TimeRange, uuidRange } from './time-range.ts';

export interface StoredEvent {
  readonly uuid: string;
  readonly type: string;
  readonly expungedAt: Date | null;
  /** As delivered; after an expunge with `"data":null`. */
  readonly body: Buffer;
}

export interface EventFilter extends TimeRange {
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
}

interface Glance {
  readonly uuid: string;
  readonly bytes: number;
}

/** A page of a tenant's events, newest first. `after` is the UUID of the last event of the page before. */
export async function listEvents(
  pool: pg.Pool,
  tenantNum: number,
  filter: EventFilter,
  after: string | null,
  limit: number,
): Promise<ScanStep<StoredEvent, string>> {
  const step = (position: string | null, size: number) => glance(pool, tenantNum, filter, position, size);
  const page = await scanPage<Glance, string>({ after, limit, step, positionOf: ({ uuid }) => uuid });
  const fitting = withinBytes(page.rows);
  const rows = await readEvents(
    pool,
    tenantNum,
    fitting.map(({ uuid }) => uuid),
  );
  return { rows, resume: fitting.length < page.rows.length ? fitting.at(-1)!.uuid : page.resume };
}

// Bodies are read in a second step: a filter may pass over many events, and a page must not outgrow the memory.
const GLANCE = `
  WITH looked AS MATERIALIZED (
    SELECT id, type, subject, octet_length(body) AS bytes FROM events
     WHERE tenant_num = $1 AND id >= $2::uuid AND id < $3::uuid ORDER BY id DESC LIMIT $4
  )
  SELECT id, bytes, (($5::text IS NULL OR type = $5) AND ($6::text IS NULL OR subject = $6)) IS TRUE AS matches FROM looked ORDER BY id DESC`;

async function glance(
  pool: pg.Pool,
  tenantNum: number,
  filter: EventFilter,
  after: string | null,
  size: number,
): Promise<ScanStep<Glance, string>> {
  const { from, to } = uuidRange(filter);
  const { rows } = await pool.query<{ id: string; bytes: number; matches: boolean }>(GLANCE, [
    tenantNum,
    from,
    after !== null && after < to ? after : to,
    size,
    filter.type ?? null,
    filter.subject ?? null,
  ]);
  const matching = rows.filter(({ matches }) => matches).map(({ id, bytes }) => ({ uuid: id, bytes }));
  return { rows: matching, resume: rows.length < size ? null : rows.at(-1)!.id };
}

interface EventRow {
  id: string;
  type: string;
  expunged_at: Date | null;
  body: Buffer;
}

const toEvent = ({ id, type, expunged_at, body }: EventRow): StoredEvent => ({
  uuid: id,
  type,
  expungedAt: expunged_at,
  body,
});

async function readEvents(pool: pg.Pool, tenantNum: number, uuids: readonly string[]): Promise<StoredEvent[]> {
  if (uuids.length === 0) return [];
  const { rows } = await pool.query<EventRow>(
    'SELECT id, type, expunged_at, body FROM events WHERE tenant_num = $1 AND id = ANY($2::uuid[]) ORDER BY id DESC',
    [tenantNum, [...uuids]],
  );
  return rows.map(toEvent);
}

/** An event of the tenant by its UUID, kept for its dead letters or in the log; null when there is none. */
export async function readEvent(pool: pg.Pool, tenantNum: number, uuid: string): Promise<StoredEvent | null> {
  const [found] = await readEvents(pool, tenantNum, [uuid]);
  if (found !== undefined) return found;
  const { rows } = await pool.query<EventRow>(
    'SELECT id, type, expunged_at, body FROM kept_events WHERE tenant_num = $1 AND id = $2',
    [tenantNum, uuid],
  );
  return rows[0] === undefined ? null : toEvent(rows[0]);
}

/**
 * The UUID of a tenant's event by its public id: ours says it, a producer's is looked up. A producer may use an id again once its
 * claim has expired: then it is the newest.
 */
export async function findEventUuid(pool: pg.Pool, tenantNum: number, publicId: string): Promise<string | null> {
  return (await findEventUuids(pool, tenantNum, [publicId])).get(publicId) ?? null;
}

/** UUIDs by public id; ids that name nothing of this tenant are absent. Events that are kept for their dead letters are found too. */
export async function findEventUuids(
  pool: pg.Pool,
  tenantNum: number,
  publicIds: readonly string[],
): Promise<Map<string, string>> {
  const found = await findIn('events', pool, tenantNum, publicIds);
  const rest = publicIds.filter((id) => !found.has(id));
  for (const [id, uuid] of await findIn('kept_events', pool, tenantNum, rest)) found.set(id, uuid);
  return found;
}

/**
 * UUIDs of all events of the tenant that have this public id, in the log or kept for their dead letters: a producer's may be used again once
 * its claim has expired, also where it looks like one of ours.
 */
export async function findEveryEventUuid(
  pool: pg.Pool,
  tenantNum: number,
  publicId: string,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM events WHERE tenant_num = $1 AND external_id = $2
      UNION SELECT id FROM kept_events WHERE tenant_num = $1 AND external_id = $2
      UNION SELECT id FROM events WHERE tenant_num = $1 AND id = $3::uuid AND external_id IS NULL
      UNION SELECT id FROM kept_events WHERE tenant_num = $1 AND id = $3::uuid AND external_id IS NULL`,
    [tenantNum, publicId, parseEventId(publicId)],
  );
  return rows.map(({ id }) => id);
}

async function findIn(
  table: 'events' | 'kept_events',
  pool: pg.Pool,
  tenantNum: number,
  publicIds: readonly string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const ours = new Map(
    publicIds.flatMap((id) => (parseEventId(id) === null ? [] : [[parseEventId(id)!, id] as const])),
  );
  if (ours.size > 0) {
    const { rows } = await pool.query<{ id: string }>(
      `SELECT id FROM ${table} WHERE tenant_num = $1 AND id = ANY($2::uuid[]) AND external_id IS NULL`,
      [tenantNum, [...ours.keys()]],
    );
    for (const { id } of rows) found.set(ours.get(id)!, id);
  }
  const theirs = publicIds.filter((id) => !found.has(id));
  if (theirs.length === 0) return found;
  const { rows } = await pool.query<{ id: string; external_id: string }>(
    `SELECT id, external_id FROM ${table} WHERE tenant_num = $1 AND external_id = ANY($2::text[]) ORDER BY id`,
    [tenantNum, theirs],
  );
  for (const { id, external_id } of rows) found.set(external_id, id);
  return found;
}
