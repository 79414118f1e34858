import { eventually } from '../../support/eventually.ts';
import { startRedisProcess } from '../../support/redis-process.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';
import { redisOf } from '../steps/redis.ts';

const RECONNECT_MS = 10_000;

export const f14: Scenario = {
  id: 'F14',
  title: 'failover of Redis: the replica is promoted, the old master answers READONLY, then its address moves',
  rows: ['F14'],
  expected: 'workers listen at the new master within 10 s; nothing lost, nothing twice',
  backend: 'redis',
  stage: { proxied: ['redis'] },
  steps: [
    step('a replica is promoted, the old master becomes its replica', async (play) => {
      const replica = await startRedisProcess();
      play.onClose(() => replica.close());
      const old = redisOf(play);
      await replica.command(`REPLICAOF 127.0.0.1 ${old.port}`);
      await eventually(
        () => replica.command('INFO replication'),
        (text) => text.includes('master_link_status:up'),
      );
      await replica.command('REPLICAOF NO ONE');
      await old.command(`REPLICAOF 127.0.0.1 ${replica.port}`);
      await play.pause(2_000);
      proxyOf(play, 'redis').retarget(replica.port);
      proxyOf(play, 'redis').cut();
      play.markHealed();
      const came = await eventually(replica.consumers, (count) => count > 0, RECONNECT_MS).catch(() => 0);
      const faults = came > 0 ? [] : ['nobody listens at the new master'];
      play.found.push(verdict('workers listen at the new master within 10 s', faults, `${came} listen`));
    }),
    accepted(60),
  ],
};
