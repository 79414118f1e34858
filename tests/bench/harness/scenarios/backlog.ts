import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figuresBetween } from '../window.ts';
import { BATCHES, playSteady } from './steady.ts';

const PLAN = { tenants: 100, groups: 1_000, fanOut: 1 };
const ROUNDS_OF_1K = 9;

/** The worker is warm, and still while the backlog grows, so that the rate is that of draining and not of starting. */
const drainOf = (label: string, events: number): Scenario => ({
  name: `drain${label}`,
  title: `a backlog of ${events.toLocaleString('en')}: rate from the first delivery to the last, beside that of 1,000`,
  stage: { plan: PLAN, roles: ['api', 'worker'] },
  play: async (stage, play) => {
    await playSteady(stage, BATCHES, play, 0);
    await stage.rest();
    const rates = [];
    for (let round = 0; round < ROUNDS_OF_1K; round++) rates.push((await drain(stage, 1_000)).rate);
    const rateOf1k = rates.sort((a, b) => a - b)[ROUNDS_OF_1K >> 1]!;
    if (events === 1_000) return { deliveries_per_s: rateOf1k };
    const { rate, figures } = await drain(stage, events);
    // What is accepted meanwhile, and how fast, is nothing of this window.
    const { events_per_s: _, wal_bytes_per_event: __, ...rest } = figures;
    return { ...rest, deliveries_per_s: rate, drained_per_s_1k: rateOf1k, rate_of_1k: rate / rateOf1k };
  },
});

export const backlogScenarios: readonly Scenario[] = [
  drainOf('1k', 1_000),
  drainOf('100k', 100_000),
  drainOf('1m', 1_000_000),
  {
    name: 'ingest',
    title: 'ingest only: batches of 100 while no worker runs',
    stage: { plan: PLAN, roles: ['api'] },
    play: async (stage, play) => {
      stage.load.closed({ ...BATCHES, maxBacklog: Number.POSITIVE_INFINITY });
      const [before, after] = await stage.window(play.warmUpMs, play.measureMs);
      // What was accepted is still to be delivered, and counted.
      await stage.system.start('worker');
      return figuresBetween(before, after, 'event');
    },
  },
];

/** Rates are deliveries a second. */
async function drain(stage: Stage, events: number): Promise<{ rate: number; figures: Figures }> {
  stage.system.freeze('worker');
  const { accepted } = await stage.load.postAll({ ...BATCHES, maxBacklog: Number.POSITIVE_INFINITY, events });
  const before = await stage.snapshot();
  stage.system.thaw('worker');
  await stage.arrived(accepted);
  const after = await stage.snapshot();
  await stage.rest();
  const times = (await stage.sink.times()).slice(-events).filter((at) => at > 0);
  const [first, last] = times.reduce(([least, most], at) => [Math.min(least, at), Math.max(most, at)], [
    Number.POSITIVE_INFINITY,
    0,
  ] as [number, number]);
  return { rate: (times.length * 1_000) / (last - first), figures: figuresBetween(before, after) };
}
