import pg from 'pg';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';

const LOCK_MS = 8_000;

export const f19: Scenario = {
  id: 'F19',
  title: 'every connection of the API waits for a lock, for 8 s',
  rows: ['F19'],
  expected:
    '503 within the second with Retry-After; health still answers; deliveries, which have connections of their own, end',
  steps: [
    step('idempotency_keys locked for 8 s', async (play) => {
      const holder = new pg.Client({ connectionString: play.servers.postgres.url });
      await holder.connect();
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE');
      await play.pause(LOCK_MS / 2);
      const asked = performance.now();
      const health = await fetch(`${play.api}/healthz`, { signal: AbortSignal.timeout(3_000) }).catch(() => null);
      await health?.body?.cancel();
      const [{ waiting }] = await play.query('SELECT count(*)::int AS waiting FROM mailbox');
      await play.pause(LOCK_MS / 2);
      await holder.query('ROLLBACK');
      await holder.end();
      play.markHealed();
      const tookMs = Math.round(performance.now() - asked) - LOCK_MS / 2;
      play.found.push(
        verdict(
          'health answers meanwhile',
          health?.status === 200 ? [] : [`it answered ${health?.status ?? 'nothing'}`],
          `within ${tookMs} ms`,
        ),
        verdict(
          'deliveries end meanwhile',
          waiting === 0 ? [] : [`${waiting} still waited after ${LOCK_MS / 2} ms`],
          'none waits',
        ),
      );
    }),
    accepted(60),
  ],
  refusals: [503],
};
