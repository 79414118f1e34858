import { z } from 'zod';
import type { ScanStep } from '../store/bounded-scan.ts';
import type { Cursors } from './cursor.ts';

const MAX_LIMIT = 250;
const DEFAULT_LIMIT = 50;

/** Query parameters that every list takes. */
export const pagingQuery = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, `expected a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .pipe(z.number().max(MAX_LIMIT))
    .optional(),
  cursor: z.string().min(1).max(512).optional(),
};

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** One page of a list, newest first. `next` is null on the last page. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next: z.string().nullable() });
}

/**
 * Reads one page.
 * @param belongsTo route, tenant and filters: what the cursor is bound to
 * @param fetch reads `limit` rows after a position (undefined: from the newest)
 * @param positionOf where the next page goes on after a row
 */
export async function readPage<Row>(
  cursors: Cursors,
  query: PageQuery,
  belongsTo: readonly unknown[],
  fetch: (after: string | undefined, limit: number) => Promise<readonly Row[]>,
  positionOf: (row: Row) => string,
): Promise<{ rows: readonly Row[]; next: string | null }> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const after = query.cursor === undefined ? undefined : cursors.decode(query.cursor, belongsTo);
  const found = await fetch(after, limit + 1);
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const next = found.length > limit && last !== undefined ? cursors.encode(positionOf(last), belongsTo) : null;
  return { rows, next };
}

/**
 * Reads one page of a list whose rows may be large: it may hold fewer rows than asked for, and goes on while `next` is not null.
 * @param fetch reads at most `limit` rows after a position (undefined: from the newest), and says where the next page goes on
 */
export async function readWeighedPage<Row>(
  cursors: Cursors,
  query: PageQuery,
  belongsTo: readonly unknown[],
  fetch: (after: string | undefined, limit: number) => Promise<ScanStep<Row, string | number>>,
): Promise<{ rows: readonly Row[]; next: string | null }> {
  const after = query.cursor === undefined ? undefined : cursors.decode(query.cursor, belongsTo);
  const { rows, resume } = await fetch(after, query.limit ?? DEFAULT_LIMIT);
  return { rows, next: resume === null ? null : cursors.encode(String(resume), belongsTo) };
}
