import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step, wait } from '../steps/flow.ts';

const fillerOf = (play: Play) => join(play.servers.dataDir!, 'filler');

export const f22: Scenario = {
  id: 'F22',
  title: 'the disk of Postgres is full for 10 s',
  rows: ['F22'],
  expected: '503, never 202, while there is no space; afterwards all goes on and nothing is corrupt',
  needs: ['tmpfs'],
  stage: {
    workers: 1,
    postgresDiskMb: 400,
    postgres: { max_wal_size: '96MB', min_wal_size: '32MB', wal_recycle: 'off' },
  },
  load: { perSecond: 60, padding: 20_000 },
  steps: [
    step('the disk is filled', async (play) => {
      const { bavail, bsize } = await statfs(play.servers.dataDir!);
      await writeFile(fillerOf(play), Buffer.alloc(bavail * bsize)).catch(() => {});
    }),
    wait(10_000),
    step('there is space again', async (play) => {
      const refused = play.history.refusals.byStatus.get(503) ?? 0;
      play.found.push(verdict('posts were refused with 503', refused > 0 ? [] : ['none was'], `${refused} times`));
      await rm(fillerOf(play));
      // A Postgres that cannot write its log ends itself; whoever runs it starts it again.
      const isThere = await play.query('SELECT 1').then(
        () => true,
        () => false,
      );
      if (!isThere) await play.servers.postgres.start().catch(() => {});
      play.markHealed();
    }),
    accepted(60),
  ],
  refusals: [503],
  recoveryAtMostMs: 40_000,
};
