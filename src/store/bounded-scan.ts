/** One step of a scan: what was found, and where the next step goes on; null at the end of the list. */
export interface ScanStep<Row, Position> {
  readonly rows: readonly Row[];
  readonly resume: Position | null;
}

export interface ScanOptions<Row, Position> {
  readonly after: Position | null;
  readonly limit: number;
  /** Looks at about `size` candidates after a position, whether or not they are rows of the list. */
  readonly step: (after: Position | null, size: number) => Promise<ScanStep<Row, Position>>;
  readonly positionOf: (row: Row) => Position;
}

/** Longest that one page may search, in ms: filters that match little end their page early, with a cursor that goes on. */
const SEARCH_MS = 1_000;
const FIRST_SIZE = 64;
const LARGEST_SIZE = 1_000;

/**
 * Fills one page from a list that can only be searched by looking. The work is bounded: a page may hold fewer rows than asked for, none
 * even, while `resume` says that there may be more.
 */
export async function scanPage<Row, Position>(options: ScanOptions<Row, Position>): Promise<ScanStep<Row, Position>> {
  const { limit, step, positionOf } = options;
  const rows: Row[] = [];
  const end = performance.now() + SEARCH_MS;
  let after = options.after;
  for (let size = Math.max(FIRST_SIZE, limit + 1); ; size = Math.min(size * 4, LARGEST_SIZE)) {
    const found = await step(after, size);
    rows.push(...found.rows);
    if (rows.length > limit) return { rows: rows.slice(0, limit), resume: positionOf(rows[limit - 1]!) };
    if (found.resume === null || performance.now() > end) return { rows, resume: found.resume };
    after = found.resume;
  }
}
