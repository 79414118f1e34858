import { type PostgresStandby, startSynchronousStandby } from '../../support/postgres-standby.ts';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario, Step } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';
import { untilUnready } from '../steps/postgres.ts';

/** How long the address leads to a server that takes no writes. */
const READ_ONLY_MS = 5_000;

const refusedIn = ({ history }: Play) => history.refusals.byStatus.get(503) ?? 0;

/** The steps of one failover share the standby. */
function failover(): readonly Step[] {
  let standby: PostgresStandby | null = null;
  return [
    step('a standby follows Postgres, and every commit waits for it', async (play) => {
      standby = await startSynchronousStandby(play.servers.postgres);
      play.onClose(standby.close);
    }),
    accepted(60),
    step('kill -9 Postgres; its address leads to the standby, which takes no writes yet', async (play) => {
      play.interruptions += play.workers.places;
      await play.servers.postgres.crash();
      play.moveDatabase(standby!);
      const before = refusedIn(play);
      proxyOf(play, 'postgres').retarget(Number(new URL(standby!.url).port));
      proxyOf(play, 'postgres').cut();
      await untilUnready(play);
      await play.pause(READ_ONLY_MS);
      const refused = refusedIn(play) - before;
      play.found.push(verdict('posts were refused with 503', refused > 0 ? [] : ['none was'], `${refused} times`));
    }),
    step('the standby is promoted', async (play) => {
      await standby!.promote();
      play.markHealed();
    }),
    accepted(60),
  ];
}

export const postgresFailover: Scenario = {
  id: 'failover',
  title: 'kill -9 of Postgres under load, with a synchronous standby that takes its place after a while without writes',
  rows: [],
  expected: 'every acknowledged event is at the standby; 503 until it takes writes; then all goes on by itself',
  stage: { proxied: ['postgres'] },
  ci: true,
  steps: failover(),
  refusals: [503],
  recoveryAtMostMs: 40_000,
};
