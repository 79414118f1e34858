import type pg from 'pg';
import { plainArray } from './plain-array.ts';

/** What one process reports of its consumer of a source: JSON of its own making. */
export interface SourceReport {
  readonly sourceNum: number;
  readonly state: unknown;
}

export interface SourceStateRow {
  readonly sourceNum: number;
  readonly process: string;
  readonly state: unknown;
  readonly seenAt: Date;
}

/** A process that was not heard of for longer than this is gone. */
const FRESH = `interval '15 seconds'`;
const KEPT = `interval '10 minutes'`;

/** Reports what the process's consumers do, and forgets reports of processes that are long gone. One statement. */
export async function reportStates(pool: pg.Pool, process: string, reports: readonly SourceReport[]): Promise<void> {
  await pool.query({
    name: 'report-source-states',
    text: `
      WITH gone AS (
        DELETE FROM source_states
         WHERE seen_at < now() - ${KEPT} OR (process = $1 AND NOT source_num = ANY($2::int[]))
      )
      INSERT INTO source_states (source_num, process, state, seen_at)
      SELECT s.num, $1, s.state, now() FROM unnest($2::int[], $3::jsonb[]) AS s(num, state)
      ON CONFLICT (source_num, process) DO UPDATE SET state = EXCLUDED.state, seen_at = EXCLUDED.seen_at`,
    values: [
      process,
      plainArray(reports.map(({ sourceNum }) => sourceNum)),
      reports.map(({ state }) => JSON.stringify(state)),
    ],
  });
}

/** The process consumes nothing any more. */
export async function forgetStates(pool: pg.Pool, process: string): Promise<void> {
  await pool.query('DELETE FROM source_states WHERE process = $1', [process]);
}

/** What processes reported lately of these sources. */
export async function readStates(pool: pg.Pool, sourceNums: readonly number[]): Promise<readonly SourceStateRow[]> {
  const { rows } = await pool.query<{ source_num: number; process: string; state: unknown; seen_at: Date }>(
    `SELECT source_num, process, state, seen_at FROM source_states
      WHERE source_num = ANY($1::int[]) AND seen_at > now() - ${FRESH} ORDER BY source_num, process`,
    [plainArray(sourceNums)],
  );
  return rows.map((row) => ({
    sourceNum: row.source_num,
    process: row.process,
    state: row.state,
    seenAt: row.seen_at,
  }));
}
