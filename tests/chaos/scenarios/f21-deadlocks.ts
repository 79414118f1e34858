import pg from 'pg';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import { between } from '../harness/random.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';

const ROUNDS = 30;

/** Takes the tables of a group commit in one order or the other: whoever has waited longer is the victim, and that is the commit. */
async function provoke(client: pg.Client, play: Play): Promise<void> {
  const tables = ['mailbox', 'idempotency_keys'];
  const [first, second] = play.random() < 0.5 ? tables : tables.reverse();
  await client.query('BEGIN');
  try {
    await client.query(`LOCK TABLE ${first} IN SHARE MODE`);
    await play.pause(between(play.random, 20, 60));
    await client.query(`LOCK TABLE ${second} IN SHARE MODE`);
  } catch {
    // It was the victim itself this time.
  }
  await client.query('ROLLBACK');
}

export const f21: Scenario = {
  id: 'F21',
  title: 'a storm of deadlocks',
  rows: ['F21'],
  expected: 'tried again, within bounds: no duplicate event, every event delivered',
  stage: { postgres: { deadlock_timeout: '80ms' } },
  load: { perSecond: 120 },
  steps: [
    step(`${ROUNDS} deadlocks`, async (play) => {
      const client = new pg.Client({ connectionString: play.servers.postgres.url });
      await client.connect();
      for (let round = 0; round < ROUNDS; round++) {
        await provoke(client, play);
        await play.pause(between(play.random, 20, 100));
      }
      await client.end();
      play.markHealed();
      const [{ deadlocks }] = await play.query(`SELECT sum(deadlocks)::int AS deadlocks FROM pg_stat_database`);
      play.found.push(verdict('deadlocks came', deadlocks > 0 ? [] : ['none'], `Postgres broke ${deadlocks}`));
    }),
    accepted(60),
  ],
  refusals: [503],
};
