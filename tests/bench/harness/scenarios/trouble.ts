import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../monotonic-ms.ts';
import type { Scenario } from '../scenario.ts';
import { figuresBetween } from '../window.ts';
import { latencies, playOpen } from './latency.ts';
import { BATCHES } from './steady.ts';

/** Whatever failed is tried again within seconds, so that the check at the end need not wait for hours. */
const SOON = { retry_schedule: [0, 1, 1, 1, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10] };

export const troubleScenarios: readonly Scenario[] = [
  {
    name: 'isolation',
    title: '1,000 events/s for 100 endpoints, one of which takes 10 s to answer: the times of the other 99',
    stage: { plan: { tenants: 100, groups: 100, fanOut: 1 }, endpoints: SOON },
    play: async (stage, play) => {
      const others = (n: number) => n % 100 !== 0;
      const calm = await playOpen(stage, 1_000, play);
      const { p99_ms: without } = await latencies(stage, calm.fromMs, calm.toMs, others);
      stage.sink.behave({ status: 200, slow: { endpoint: 0, delayMs: 10_000 } });
      const slow = await playOpen(stage, 1_000, play, () => stage.sink.behave({ status: 200, slow: null }));
      return {
        ...slow.figures,
        ...(await latencies(stage, slow.fromMs, slow.toMs, others)),
        p99_ms_without: without ?? null,
      };
    },
  },
  {
    name: 'allfail',
    title: '1,000 events/s for 1,000 endpoints that all answer 500, until they recover',
    stage: { plan: { tenants: 100, groups: 1_000, fanOut: 1 }, endpoints: SOON },
    play: async (stage, play) => {
      stage.sink.behave({ status: 500, slow: null });
      stage.load.open(1_000);
      const [before, after] = await stage.window(play.warmUpMs, play.measureMs);
      stage.sink.behave({ status: 200, slow: null });
      const seconds = (after.atMs - before.atMs) / 1_000;
      return {
        ...figuresBetween(before, after, 'event'),
        attempts_per_s: (after.sink.requests - before.sink.requests) / seconds,
      };
    },
  },
  {
    name: 'restart',
    title: 'batch100 while the worker and then the API are stopped and started again',
    stage: { plan: { tenants: 100, groups: 1_000, fanOut: 1 } },
    play: async (stage, play) => {
      stage.load.closed(BATCHES);
      const [before] = await stage.window(play.warmUpMs, 0);
      const fromMs = monotonicMs();
      for (const role of stage.system.roles.toReversed()) {
        await stage.system.stop(role);
        await stage.system.start(role);
        await delay(play.measureMs / 3);
      }
      const after = await stage.snapshot();
      const times = (await stage.sink.times()).filter((at) => at >= fromMs).sort();
      const seconds = (after.atMs - before.atMs) / 1_000;
      return {
        deliveries_per_s: (after.sink.delivered - before.sink.delivered) / seconds,
        posts_repeated: after.load.repeated - before.load.repeated,
        longest_silence_ms: times.reduce((most, at, i) => (i === 0 ? 0 : Math.max(most, at - times[i - 1]!)), 0),
      };
    },
  },
];
