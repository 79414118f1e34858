import pg from 'pg';
import { verdict } from '../harness/judge.ts';
import { lagsOf, quantile } from '../harness/lags.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';

const PARTS = 4;
const FACTOR = 3;
/** Below this a difference says nothing. */
const LEAST_MS = 20;

const staysOpen = (seconds: number): Scenario => ({
  id: 'F61',
  title: `a transaction with an old snapshot stays open for ${seconds} s under load`,
  rows: ['F61'],
  expected: 'times from post to receipt do not grow with the dead rows that nothing may clean up',
  load: { perSecond: 300, batch: 10, slots: 4 },
  steps: [
    step('snapshot taken', async (play) => {
      const client = new pg.Client({ connectionString: play.servers.postgres.url });
      await client.connect();
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await client.query('SELECT count(*) FROM mailbox');
      const marks = [play.history.count];
      for (let part = 0; part < PARTS; part++) {
        await play.pause((seconds * 1_000) / PARTS);
        marks.push(play.history.count);
      }
      await client.query('ROLLBACK');
      await client.end();
      play.markHealed();
      const medians = await Promise.all(
        [0, PARTS - 1].map(async (part) =>
          quantile(await lagsOf(play, ({ event }) => event >= marks[part]! && event < marks[part + 1]!), 0.5),
        ),
      );
      const [first, last] = medians as [number, number];
      const text = `median ${first} ms in the first quarter, ${last} ms in the last`;
      play.found.push(verdict('times do not grow', last <= Math.max(first, LEAST_MS) * FACTOR ? [] : [text], text));
    }),
    accepted(60),
  ],
});

export const f61: Scenario = { ...staysOpen(600), short: staysOpen(40) };
