import type pg from 'pg';
import type { Config } from './config/config.ts';
import { LaneWaker } from './lane-waker.ts';
import type { Observer } from './observability/observer.ts';
import { createQueueBackend, type QueueBackend } from './queues/backend.ts';
import { Doorbell } from './queues/doorbell.ts';
import { WorkBell, type WorkKind } from './queues/work-bell.ts';
import { LaneCalls } from './store/lane-calls.ts';

export interface SignalOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly observe: Observer;
  readonly workerPool: pg.Pool;
}

/** What processes tell each other by that there is work. All of it is in Postgres: a signal that is lost costs time, nothing else. */
export interface Signals {
  readonly queues: QueueBackend;
  readonly doorbell: Doorbell;
  readonly waker: LaneWaker;
  readonly replayBell: WorkBell;
  readonly expansionBell: WorkBell;
  readonly close: () => Promise<void>;
}

/** Opens no connection before it is used. */
export function createSignals({ config, databaseUrl, observe, workerPool }: SignalOptions): Signals {
  const onError = (error: unknown) => observe.queueFailed(error);
  const queues = createQueueBackend({ redisUrl: config.REDIS_URL, databaseUrl, prefix: config.REDIS_PREFIX, onError });
  const doorbell = new Doorbell(queues, onError);
  const bell = (kind: WorkKind) => new WorkBell(queues, kind, onError);
  const replayBell = bell('replays');
  const expansionBell = bell('expansions');
  const laneCalls = new LaneCalls(workerPool, (error) => observe.workFailed('lane call', error));
  const waker = new LaneWaker({
    ring: (lanes) => doorbell.ring(lanes),
    call: (lanes) => laneCalls.call(lanes),
    callBehind: (lanes) => laneCalls.callBehind(lanes),
  });
  const close = async () => {
    laneCalls.close();
    await Promise.all([doorbell.close(), replayBell.close(), expansionBell.close()]);
    await queues.close();
  };
  return { queues, doorbell, waker, replayBell, expansionBell, close };
}
