import type pg from 'pg';
import { newUuid } from '../domain/ids.ts';
import { appendAudit } from './audit.ts';
import type { AuditAction } from './audit-actions.ts';
import { plainArray } from './plain-array.ts';
import type { PrismaClient, Transaction } from './prisma.ts';

/** A message that is no event. Bytes may be cut short (`truncated`). */
export interface RejectedMessage {
  readonly position: string;
  /** What it is known by when it comes again: a UUID. */
  readonly identity: string;
  readonly group: string;
  readonly reason: string;
  readonly detail: string;
  readonly faults: readonly { readonly path: string; readonly message: string }[];
  /** What the broker said of it. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Names and values; values in base64. */
  readonly headers: readonly (readonly [string, string])[];
  readonly key: Uint8Array | null;
  readonly body: Uint8Array;
  /** How many bytes the body had. */
  readonly bodyBytes: number;
  readonly truncated: boolean;
  readonly messageAt: Date | null;
}

export interface StoredRejection extends RejectedMessage {
  readonly id: string;
  readonly rejectedAt: Date;
  /** How often it was tried. */
  readonly attempts: number;
  /** Whether someone asked for it to be tried again and it has not been yet. */
  readonly retryRequested: boolean;
  /** Why the dead-letter topic or exchange has not taken it yet; null: it has, or there is none, or nobody tried. */
  readonly publishError: string | null;
}

export const COLUMNS = `id, position, identity, message_group, reason, detail, faults, attributes, headers, key, body, body_bytes, truncated,
  message_at, rejected_at, attempts, retry_at IS NOT NULL AS retry_requested, publish_error`;

export interface RejectionRow {
  readonly id: string;
  readonly position: string;
  readonly identity: string;
  readonly message_group: string;
  readonly reason: string;
  readonly detail: string;
  readonly faults: RejectedMessage['faults'];
  readonly attributes: RejectedMessage['attributes'];
  readonly headers: RejectedMessage['headers'];
  readonly key: Buffer | null;
  readonly body: Buffer;
  readonly body_bytes: number;
  readonly truncated: boolean;
  readonly message_at: Date | null;
  readonly rejected_at: Date;
  readonly attempts: number;
  readonly retry_requested: boolean;
  readonly publish_error: string | null;
}

/**
 * Keeps them, each once however often it comes. When it resolves they are durable.
 * @param options.isRetry they were kept already and were tried again: what is said of them is new, and nobody asks for a retry any more
 * @param options.nowMs Postgres's time
 * @param options.publish they are to be published to the source's dead-letter topic or exchange, too
 * @returns how many are new
 */
export async function keepRejected(
  pool: pg.Pool,
  sourceNum: number,
  messages: readonly RejectedMessage[],
  options: { readonly isRetry: boolean; readonly publish: boolean; readonly nowMs: number },
): Promise<number> {
  const again = options.isRetry
    ? `DO UPDATE SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, faults = EXCLUDED.faults, retry_at = NULL,
         attempts = rejected_messages.attempts + 1`
    : 'DO NOTHING';
  const { rowCount } = await pool.query(
    `INSERT INTO rejected_messages (id, source_num, position, identity, message_group, reason, detail, faults, attributes, headers, key, body,
                                    body_bytes, truncated, message_at, publish)
     SELECT r.id, $1, r.position, r.identity, r.message_group, r.reason, r.detail, r.faults, r.attributes, r.headers, r.key, r.body, r.body_bytes,
            r.truncated, r.message_at, $2
       FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::jsonb[], $11::jsonb[],
                   $12::bytea[], $13::bytea[], $14::int[], $15::bool[], $16::timestamptz[])
         AS r(id, position, identity, message_group, reason, detail, faults, attributes, headers, key, body, body_bytes, truncated, message_at)
     ON CONFLICT (source_num, identity) ${again}`,
    [
      sourceNum,
      options.publish && !options.isRetry,
      plainArray(messages.map(() => newUuid(options.nowMs))),
      messages.map(({ position }) => position),
      plainArray(messages.map(({ identity }) => identity)),
      messages.map(({ group }) => group),
      messages.map(({ reason }) => reason),
      messages.map(({ detail }) => detail),
      messages.map(({ faults }) => JSON.stringify(faults)),
      messages.map(({ attributes }) => JSON.stringify(attributes)),
      messages.map(({ headers }) => JSON.stringify(headers)),
      messages.map(({ key }) => key),
      messages.map(({ body }) => body),
      messages.map(({ bodyBytes }) => bodyBytes),
      messages.map(({ truncated }) => truncated),
      messages.map(({ messageAt }) => messageAt?.toISOString() ?? null),
    ],
  );
  return rowCount ?? 0;
}

export interface RejectionFilter {
  readonly reason?: string | undefined;
  readonly group?: string | undefined;
}

/** Newest first, after the given id. Without their bytes' content being read further than needed: bodies are bounded. */
export async function listRejected(
  pool: pg.Pool,
  sourceNum: number,
  filter: RejectionFilter,
  after: string | undefined,
  limit: number,
): Promise<readonly StoredRejection[]> {
  const { rows } = await pool.query<RejectionRow>(
    `SELECT ${COLUMNS.replace(' body,', " ''::bytea AS body,")} FROM rejected_messages
      WHERE source_num = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR reason = $3)
        AND ($4::text IS NULL OR message_group = $4)
      ORDER BY id DESC LIMIT $5`,
    [sourceNum, after ?? null, filter.reason ?? null, filter.group ?? null, limit],
  );
  return rows.map(toRejection);
}

export async function findRejected(pool: pg.Pool, sourceNum: number, id: string): Promise<StoredRejection | null> {
  const { rows } = await pool.query<RejectionRow>(
    `SELECT ${COLUMNS} FROM rejected_messages WHERE source_num = $1 AND id = $2`,
    [sourceNum, id],
  );
  return rows[0] === undefined ? null : toRejection(rows[0]);
}

/** Which rejected messages are meant: those named, or all that the filter takes. */
export interface RejectionChoice extends RejectionFilter {
  readonly ids?: readonly string[] | undefined;
}

interface SourceRef {
  readonly num: number;
  readonly id: string;
}

/** Past by every clock: Postgres's decides when they are due, and this process's may be ahead of it. */
const AT_ONCE = new Date(0);

/** Asks for them to be tried again. What was cut short cannot be. @returns how many. */
export async function requestRetry(
  prisma: PrismaClient,
  source: SourceRef,
  choice: RejectionChoice,
  actor: string,
): Promise<number> {
  return prisma.$transaction(async (transaction) => {
    const { count } = await transaction.rejectedMessage.updateMany({
      where: { ...chosen(source, choice), truncated: false, retryAt: null },
      data: { retryAt: AT_ONCE },
    });
    if (count > 0) await audit(transaction, source, choice, { actor, action: 'source.rejected_retried' }, count);
    return count;
  });
}

/** Forgets them. @returns how many. */
export async function discardRejected(
  prisma: PrismaClient,
  source: SourceRef,
  choice: RejectionChoice,
  actor: string,
): Promise<number> {
  return prisma.$transaction(async (transaction) => {
    const { count } = await transaction.rejectedMessage.deleteMany({ where: chosen(source, choice) });
    if (count > 0) await audit(transaction, source, choice, { actor, action: 'source.rejected_discarded' }, count);
    return count;
  });
}

function chosen({ num }: SourceRef, { ids, reason, group }: RejectionChoice) {
  return {
    sourceNum: num,
    ...(ids === undefined ? {} : { id: { in: [...ids] } }),
    ...(reason === undefined ? {} : { reason }),
    ...(group === undefined ? {} : { messageGroup: group }),
  };
}

function audit(
  transaction: Transaction,
  { id }: SourceRef,
  { ids, reason, group }: RejectionChoice,
  change: { readonly actor: string; readonly action: AuditAction },
  messages: number,
): Promise<void> {
  const after = { messages, ids: ids?.length ?? null, reason: reason ?? null, group: group ?? null };
  return appendAudit(transaction, { tenantNum: null, ...change, object: id, after });
}

/** One that is being tried again. */
export interface ClaimedRejection extends StoredRejection {
  /** Until when nobody else tries it. It is what the claim is known by: no other has the same. */
  readonly claimedUntil: Date;
}

/** Takes some that are to be tried again, oldest first, for a minute: a process that dies with them leaves them to the next. */
export async function claimRetries(
  pool: pg.Pool,
  sourceNum: number,
  limit: number,
): Promise<readonly ClaimedRejection[]> {
  const { rows } = await pool.query<RejectionRow & { readonly retry_at: Date }>(
    `WITH due AS (
       SELECT id FROM rejected_messages WHERE source_num = $1 AND retry_at <= now() ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
     ), claimed AS (
       UPDATE rejected_messages SET retry_at = now() + interval '1 minute' WHERE id IN (SELECT id FROM due) RETURNING *
     )
     SELECT ${COLUMNS}, retry_at FROM claimed ORDER BY id`,
    [sourceNum, limit],
  );
  return rows.map((row) => ({ ...toRejection(row), claimedUntil: row.retry_at }));
}

/**
 * They are events now. Those that were rejected once more meanwhile have no retry asked for and stay, also where somebody has asked for
 * another since: that is not the retry that was claimed.
 */
export async function forgetRetried(
  pool: pg.Pool,
  sourceNum: number,
  claimed: readonly ClaimedRejection[],
): Promise<void> {
  await pool.query(
    `DELETE FROM rejected_messages AS m USING unnest($2::uuid[], $3::timestamptz[]) AS c(id, until)
      WHERE m.source_num = $1 AND m.id = c.id AND m.retry_at = c.until`,
    [
      sourceNum,
      plainArray(claimed.map(({ id }) => id)),
      plainArray(claimed.map(({ claimedUntil }) => claimedUntil.toISOString())),
    ],
  );
}

const FORGOTTEN_AT_ONCE = 5_000;

/**
 * Forgets what was rejected before `until`, some at a time.
 * @param signal ends it after the statement that is under way
 * @returns how many.
 */
export async function forgetRejected(pool: pg.Pool, until: string, signal?: AbortSignal): Promise<number> {
  for (let count = 0; ; ) {
    const { rowCount } = await pool.query(
      'DELETE FROM rejected_messages WHERE id IN (SELECT id FROM rejected_messages WHERE id < $1 ORDER BY id LIMIT $2)',
      [until, FORGOTTEN_AT_ONCE],
    );
    count += rowCount ?? 0;
    if ((rowCount ?? 0) < FORGOTTEN_AT_ONCE || signal?.aborted === true) return count;
  }
}

export function toRejection(row: RejectionRow): StoredRejection {
  return {
    id: row.id,
    position: row.position,
    identity: row.identity,
    group: row.message_group,
    reason: row.reason,
    detail: row.detail,
    faults: row.faults,
    attributes: row.attributes,
    headers: row.headers,
    key: row.key,
    body: row.body,
    bodyBytes: row.body_bytes,
    truncated: row.truncated,
    messageAt: row.message_at,
    rejectedAt: row.rejected_at,
    attempts: row.attempts,
    retryRequested: row.retry_requested,
    publishError: row.publish_error,
  };
}
