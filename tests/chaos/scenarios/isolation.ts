import { eventually } from '../../support/eventually.ts';
import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText, medianOf } from '../steps/measure.ts';

const MOST_IN_FLIGHT = 16;
const QUIET = 1;
interface Size {
  readonly backlog: number;
  /** Measurements, of which the median counts, and the events of each. */
  readonly times: number;
  readonly events: number;
  readonly factor: number;
  /** Below this a difference says nothing on a machine that does other things too, in ms. */
  readonly leastMs: number;
}

const load = { perSecond: 50, slots: 4, tenants: ['quiet'] };

const beside = ({ backlog, times, events, factor, leastMs }: Size): Scenario => ({
  id: 'isolation',
  title: `a tenant with ${backlog.toLocaleString('en')} deliveries waiting for an endpoint that hangs, and its neighbour in the same lane`,
  rows: ['F47'],
  expected: `the neighbour’s p99 is at most ${factor} times what it is alone; the endpoint that hangs never has more than its cap`,
  stage: { workers: 1, env: { LANES: '1' } },
  endpoints: [
    {
      name: 'hangs',
      tenant: 'noisy',
      behaviour: { kind: 'hold' },
      settings: { timeout_seconds: 120, max_in_flight: MOST_IN_FLIGHT },
      isLeft: true,
    },
    { name: 'healthy', tenant: 'quiet' },
  ],
  load: null,
  steps: [
    step('', async (play) => void (await measure(play, { ...load, events: 200 }, QUIET))),
    step('the neighbour alone, then with the backlog', async (play) => {
      const alone = await medianOf(times, play, { ...load, events }, QUIET);
      play.say(`alone: ${measuredText(alone)}`);
      await play.startLoad({ perSecond: 1e6, events: backlog, batch: 1_000, slots: 4, tenants: ['noisy'] })!.done;
      const arrived = performance.now();
      await eventually(
        () => play.query('SELECT count(*)::int AS count FROM mailbox WHERE NOT parked'),
        ([row]) => row.count < backlog / 100,
        60_000,
      );
      play.say(`${backlog} deliveries wait, set aside within ${Math.round(performance.now() - arrived)} ms`);
      const loaded = await medianOf(times, play, { ...load, events }, QUIET);
      play.say(`beside the backlog: ${measuredText(loaded)}`);
      const found = loaded.receiptMs / Math.max(alone.receiptMs, leastMs);
      const text = `p99 ${alone.receiptMs} ms alone, ${loaded.receiptMs} ms beside the backlog, ${(loaded.receiptMs / alone.receiptMs).toFixed(2)} times (medians of ${times})`;
      play.found.push(verdict(`the neighbour’s p99 is at most ${factor} times`, found <= factor ? [] : [text], text));
    }),
  ],
  check: async ({ play }: Outcome) => {
    const { mostInFlight } = (await play.receiver.report()).endpoints[0]!;
    const text = `${mostInFlight} at once, cap ${MOST_IN_FLIGHT}`;
    return [
      verdict('the endpoint that hangs stayed within its cap', mostInFlight <= MOST_IN_FLIGHT ? [] : [text], text),
    ];
  },
});

export const isolation: Scenario = {
  ...beside({ backlog: 100_000, times: 5, events: 400, factor: 1.5, leastMs: 0 }),
  short: { ...beside({ backlog: 10_000, times: 1, events: 200, factor: 2, leastMs: 50 }), ci: true },
};
