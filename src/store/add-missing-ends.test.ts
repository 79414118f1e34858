import type pg from 'pg';
import { expect, test } from 'vitest';
import { addMissingEnds } from './add-missing-ends.ts';

const UUID = '0198b7a5-0000-7000-8000-000000000000';

/** A Postgres in which there is always one more replay to look at, with so many attempts. */
function endlessPool(looked: number, onCommit: () => void): pg.Pool {
  const query = async (text: string) => {
    if (text === 'COMMIT') onCommit();
    const row = {
      taken: text.includes('pg_try_advisory_xact_lock') || [],
      num: 1,
      tenantNum: 1,
      endpointNum: 1,
      named: null,
    };
    return { rows: [{ ...row, lookedTo: null, from: UUID, to: UUID, cursor: UUID, added: 1, looked, last: UUID }] };
  };
  return { connect: async () => ({ query, release: () => {} }) } as unknown as pg.Pool;
}

test.each([
  ['large ones', 1_000, 50],
  ['small ones', 1, 500],
])('a run looks at so many attempts, however many cancelled replays are left: %s', async (_what, looked, parts) => {
  let commits = 0;
  // Past it, the run has no end of its own.
  const stopping = new AbortController();
  const pool = endlessPool(looked, () => ++commits > 2 * parts && stopping.abort());
  expect(await addMissingEnds(pool, stopping.signal)).toBe(parts);
  expect(commits).toBe(parts);
});
