import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../monotonic-ms.ts';
import { percentiles } from '../percentiles.ts';
import type { Play, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figuresBetween } from '../window.ts';

const atRate = (eventsPerSecond: number): Scenario => ({
  name: `latency${eventsPerSecond}`,
  title: `${eventsPerSecond.toLocaleString('en')} events/s by the timetable, one a request: when each was to be sent → received`,
  stage: { plan: { tenants: 100, groups: 1_000, fanOut: 1 } },
  play: async (stage, play) => {
    const { figures, fromMs, toMs } = await playOpen(stage, eventsPerSecond, play);
    return { ...figures, ...(await latencies(stage, fromMs, toMs)) };
  },
});

export const latencyScenarios: readonly Scenario[] = [atRate(1_000), atRate(5_000)];

/**
 * An open load and the window in its midst, in `monotonicMs`. When it resolves the load is stopped and all of it has arrived.
 * @param onEnd called when the window is over
 */
export async function playOpen(stage: Stage, eventsPerSecond: number, play: Play, onEnd: () => void = () => {}) {
  stage.load.open(eventsPerSecond);
  await delay(play.warmUpMs);
  const fromMs = monotonicMs();
  const [before, after] = await stage.window(0, play.measureMs);
  const toMs = monotonicMs();
  onEnd();
  await stage.rest();
  return { figures: figuresBetween(before, after), fromMs, toMs };
}

/**
 * Of the events that were to be sent within the window: from when each was to be sent, whether or not the load was able to, until the sink
 * had it. And from its 202, as the load saw it, until then; 0 when the delivery was faster than the answer.
 * @param counts says which events count, by their number
 */
export async function latencies(
  stage: Stage,
  fromMs: number,
  toMs: number,
  counts: (n: number) => boolean = () => true,
): Promise<Figures> {
  const [{ intended, accepted }, received] = [await stage.load.times(), await stage.sink.times()];
  const chosen: number[] = [];
  for (let n = 0; n < intended.length; n++)
    if (intended[n]! >= fromMs && intended[n]! < toMs && (received[n] ?? 0) > 0 && counts(n)) chosen.push(n);
  const sent = percentiles(Float64Array.from(chosen, (n) => received[n]! - intended[n]!));
  const answered = percentiles(Float64Array.from(chosen, (n) => Math.max(0, received[n]! - accepted[n]!)));
  const answers = percentiles(Float64Array.from(chosen, (n) => accepted[n]! - intended[n]!));
  return {
    p50_ms: sent.p50,
    p99_ms: sent.p99,
    p999_ms: sent.p999,
    max_ms: sent.max,
    p50_ms_from_202: answered.p50,
    p99_ms_from_202: answered.p99,
    p999_ms_from_202: answered.p999,
    p50_ms_of_202: answers.p50,
    p99_ms_of_202: answers.p99,
    samples: chosen.length,
  };
}
