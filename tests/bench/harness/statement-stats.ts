/** One kind of statement since the server began to count, as pg_stat_statements has it. */
export interface StatementStat {
  readonly id: string;
  readonly text: string;
  readonly calls: number;
  /** Rows that they returned or changed. */
  readonly rows: number;
  readonly execMs: number;
}

/** What a kind of statement took within a window, for each delivery (or event). */
export interface StatementShare {
  readonly text: string;
  readonly calls: number;
  /** Rows that they returned or changed. */
  readonly rows: number;
  /** Time of execution, waits for locks and for the disk included; not CPU time, and without parsing and planning. */
  readonly us: number;
}

const MOST = 10;
const TEXT = 160;

export function callsOf(statements: readonly StatementStat[]): number {
  return statements.reduce((sum, { calls }) => sum + calls, 0);
}

/** The kinds that took the most time between two readings, the longest first. */
export function topStatements(
  before: readonly StatementStat[],
  after: readonly StatementStat[],
  units: number,
): StatementShare[] {
  const known = new Map(before.map((stat) => [stat.id, stat]));
  const shares = after.map(({ id, text, calls, rows, execMs }) => ({
    text: text.replace(/\s+/g, ' ').trim().slice(0, TEXT),
    calls: (calls - (known.get(id)?.calls ?? 0)) / units,
    rows: (rows - (known.get(id)?.rows ?? 0)) / units,
    us: ((execMs - (known.get(id)?.execMs ?? 0)) * 1_000) / units,
  }));
  return shares
    .filter(({ calls }) => calls > 0)
    .sort((a, b) => b.us - a.us)
    .slice(0, MOST);
}
