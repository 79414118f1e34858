import type { ScanStep } from '../store/bounded-scan.ts';
import type { Cursors } from './cursor.ts';
import type { PageQuery } from './paging.ts';
import type { TenantTurnstile } from './tenant-turnstile.ts';

const DEFAULT_LIMIT = 50;

/**
 * Reads one page of a list that is searched rather than looked up: it may hold fewer rows than asked for, and goes on while `next` is
 * not null.
 * It waits for the tenant's turn.
 * @param belongsTo route, tenant and filters: what the cursor is bound to
 */
export async function readScannedPage<Row, Position>(
  { cursors, scanTurns }: { readonly cursors: Cursors; readonly scanTurns: TenantTurnstile },
  tenantNum: number,
  query: PageQuery,
  belongsTo: readonly unknown[],
  position: PositionText<Position>,
  scan: (after: Position | null, limit: number) => Promise<ScanStep<Row, Position>>,
): Promise<{ rows: readonly Row[]; next: string | null }> {
  const after = query.cursor === undefined ? null : position.parse(cursors.decode(query.cursor, belongsTo));
  const { rows, resume } = await scanTurns.take(tenantNum, () => scan(after, query.limit ?? DEFAULT_LIMIT));
  return { rows, next: resume === null ? null : cursors.encode(position.format(resume), belongsTo) };
}

/** How a position is written into a cursor. Cursors are authenticated: `parse` reads only what `format` wrote. */
export interface PositionText<Position> {
  readonly format: (position: Position) => string;
  readonly parse: (text: string) => Position;
}
