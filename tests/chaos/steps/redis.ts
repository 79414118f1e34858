import { eventually } from '../../support/eventually.ts';
import { PATIENCE_MS } from '../../support/patience.ts';
import type { RedisProcess } from '../../support/redis-process.ts';
import { scrape } from '../../support/scrape.ts';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';

export function redisOf(play: Play): RedisProcess {
  const { redis } = play.servers;
  if (redis === null) throw new Error('this scenario needs Redis');
  return redis;
}

/** Waits until the metric says that Redis refuses writes, or that it does not. */
export function alarm(what: 'sounds' | 'ends', value: 0 | 1): Step {
  return {
    what: '',
    run: async (play) => {
      const isSo = await eventually(
        () => scrape(play.api!),
        (found) => found.sum('posthorn_queue_refuses_writes') === value,
      ).then(
        () => true,
        () => false,
      );
      const fault = `it was not ${value} within ${PATIENCE_MS / 1000} s`;
      play.found.push(verdict(`the alarm ${what}`, isSo ? [] : [fault], `it is ${value}`));
    },
  };
}

export function flushAll(): Step {
  return step('FLUSHALL', async (play) => {
    await redisOf(play).flushAll();
    play.markHealed();
  });
}

export function redisAway(forMs: number): Step {
  return step(`kill -9 Redis, start after ${forMs / 1000} s`, async (play) => {
    await redisOf(play).crash();
    await play.pause(forMs);
    await redisOf(play).start();
    play.markHealed();
  });
}

export function redisHangs(forMs: number): Step {
  return step(`SIGSTOP Redis for ${forMs / 1000} s`, async (play) => {
    redisOf(play).signal('SIGSTOP');
    await play.pause(forMs);
    redisOf(play).signal('SIGCONT');
    play.markHealed();
  });
}
