import type pg from 'pg';
import { type ScanStep, scanPage } from './bounded-scan.ts';
import { DECISION } from './codes.ts';
import { type DeadLetter, type LetterFilter, readDeadLetters } from './dead-letter-reads.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import type { Queryable } from './in-transaction.ts';
import { type TimeRange, uuidRange } from './time-range.ts';

export interface DeadLetterFilter extends TimeRange, LetterFilter {
  readonly eventUuid?: string | undefined;
  readonly endpointNum?: number | undefined;
}

/** A page of a tenant's dead letters, newest event first. */
export async function listDeadLetters(
  pool: pg.Pool,
  tenantNum: number,
  filter: DeadLetterFilter,
  after: DeliveryKey | null,
  limit: number,
): Promise<ScanStep<DeadLetter, DeliveryKey>> {
  const step = async (position: DeliveryKey | null, size: number) => {
    const { keys, resume } = await candidateKeys(pool, tenantNum, filter, position, size);
    return { rows: await readDeadLetters(pool, tenantNum, keys, filter), resume };
  };
  return scanPage<DeadLetter, DeliveryKey>({
    after,
    limit,
    step,
    positionOf: ({ eventUuid, endpointNum }) => ({ eventUuid, endpointNum }),
  });
}

// With stale statistics Postgres would take the primary key, which has this very order, and wade through all that was delivered; the sum
// has no index, so that the one on dead letters is the best.
const side = (source: string, where: string) => `
  (SELECT event_id, endpoint_num FROM ${source}
    WHERE tenant_num = $1 AND ${where} AND event_id >= $2::uuid AND event_id <= $3::uuid AND (event_id < $3::uuid OR endpoint_num < $4)
    ORDER BY event_id DESC, endpoint_num + 0 DESC LIMIT $5)`;

/** What was dead-lettered at some time, in the log or kept beyond it: a relation (event_id, endpoint_num), newest first. */
export const CANDIDATES = `
  SELECT event_id, endpoint_num FROM (${side('attempts', `decision = ${DECISION.deadLetter}`)} UNION ALL ${side('kept_dead_letters', 'true')}) sides
   ORDER BY event_id DESC, endpoint_num DESC LIMIT $5`;

const MAX_NUM = 0x7fffffff;

/** Deliveries that were dead-lettered at some time, each once, after a position: which of them are still is to be read. */
export async function candidateKeys(
  db: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum, ...range }: DeadLetterFilter,
  after: DeliveryKey | null,
  size: number,
): Promise<{ readonly keys: readonly DeliveryKey[]; readonly resume: DeliveryKey | null }> {
  const { from, to } = uuidRange(range);
  if (eventUuid !== undefined && (eventUuid < from || eventUuid >= to)) return { keys: [], resume: null };
  const first = eventUuid === undefined ? { eventUuid: to, endpointNum: 0 } : { eventUuid, endpointNum: MAX_NUM };
  const start = after ?? first;
  const { rows } = await db.query<{ event_id: string; endpoint_num: number }>(CANDIDATES, [
    tenantNum,
    eventUuid ?? from,
    start.eventUuid,
    start.endpointNum,
    size,
  ]);
  const found = new Map(rows.map((row) => [`${row.event_id}/${row.endpoint_num}`, row]));
  const keys = [...found.values()].map((row) => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num }));
  return {
    keys: keys.filter((key) => endpointNum === undefined || key.endpointNum === endpointNum),
    resume: rows.length < size ? null : keys.at(-1)!,
  };
}
