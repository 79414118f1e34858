import type pg from 'pg';
import { expect, test } from 'vitest';
import { Housekeeping, type HousekeepingDuty } from './housekeeping.ts';

const NOW = Date.UTC(2031, 4, 10);
/** More than any duty should need to hear that it is to stop; past it there is nothing left, so that one that does not hear ends, too. */
const STATEMENTS = 50;

/** A Postgres with very much to forget. */
function fakePool(onStatement: (text: string) => void): pg.Pool {
  let left = STATEMENTS;
  const query = async (statement: string | { readonly text: string }) => {
    const text = typeof statement === 'string' ? statement : statement.text;
    const rows = text.includes('idempotency_keys')
      ? [{ pages: 100 * STATEMENTS, expired: 1, looked: 1, isAlone: true, count: 1 }]
      : text.includes('endpoint_secrets s')
        ? [{ last: left > 0 ? 1 : null, endpoints: 1 }]
        : [];
    if (!text.includes('DELETE')) return { rows, rowCount: 0 };
    onStatement(text);
    return { rows, rowCount: left-- > 0 ? 10_000 : 0 };
  };
  return { query } as unknown as pg.Pool;
}

test.each(['kept_dead_letters', 'kept_events', 'rejected_messages', 'idempotency_keys', 'endpoint_secrets s'])(
  'housekeeping that is told to stop ends after the statement under way, however much is to be forgotten: %s',
  async (table) => {
    const stopping = new AbortController();
    const after: string[] = [];
    const told: unknown[] = [];
    const pool = fakePool((text) => {
      if (stopping.signal.aborted) after.push(text);
      else if (text.includes(`DELETE FROM ${table}`)) stopping.abort();
    });
    const housekeeping = new Housekeeping({
      pool,
      retentionDays: 5,
      deadLetterDays: 5,
      idempotencyHours: 24,
      onDone: () => {},
      onLeft: (duty) => told.push(duty),
      onExpired: () => {},
      onFailure: (duty, error) => told.push([duty, error]),
    });
    await housekeeping.dropDays(NOW, NOW, stopping.signal);
    await housekeeping.runOnce(NOW, NOW, stopping.signal);
    expect(stopping.signal.aborted).toBe(true);
    expect([after, told]).toEqual([[], []]);
  },
);

test('what earlier versions left is looked through when all else is done', async () => {
  const done: HousekeepingDuty[] = [];
  const { query } = fakePool(() => {});
  const client = { query, release: () => {} };
  const housekeeping = new Housekeeping({
    pool: { query, connect: async () => client } as unknown as pg.Pool,
    retentionDays: 5,
    deadLetterDays: 5,
    idempotencyHours: 24,
    onDone: (duty) => done.push(duty),
    onLeft: (duty) => expect.fail(duty),
    onExpired: () => {},
    onFailure: (duty, error) => expect.fail(`${duty}: ${error}`),
  });
  await housekeeping.runOnce(NOW, NOW);
  expect(done.at(-1)).toBe('ends_added');
  expect(done).toHaveLength(7);
});
