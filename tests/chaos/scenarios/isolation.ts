import { eventually } from '../../support/eventually.ts';
import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText, medianOf } from '../steps/measure.ts';

const BACKLOG = 100_000;
const MOST_IN_FLIGHT = 16;
const FACTOR = 1.5;
const QUIET = 1;
/** Measurements, of which the median counts. */
const TIMES = 5;
const load = { perSecond: 50, events: 400, slots: 4, tenants: ['quiet'] };

export const isolation: Scenario = {
  id: 'isolation',
  title: 'a tenant with 100,000 deliveries waiting for an endpoint that hangs, and its neighbour in the same lane',
  rows: ['F47'],
  expected:
    'the neighbour’s p99 is at most 1.5 times what it is alone; the endpoint that hangs never has more than its cap',
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
      const alone = await medianOf(TIMES, play, load, QUIET);
      play.say(`alone: ${measuredText(alone)}`);
      await play.startLoad({ perSecond: 1e6, events: BACKLOG, batch: 1_000, slots: 4, tenants: ['noisy'] })!.done;
      const arrived = performance.now();
      await eventually(
        () => play.query('SELECT count(*)::int AS count FROM mailbox WHERE NOT parked'),
        ([row]) => row.count < BACKLOG / 100,
        60_000,
      );
      play.say(`${BACKLOG} deliveries wait, set aside within ${Math.round(performance.now() - arrived)} ms`);
      const beside = await medianOf(TIMES, play, load, QUIET);
      play.say(`beside the backlog: ${measuredText(beside)}`);
      const factor = beside.receiptMs / alone.receiptMs;
      const text = `p99 ${alone.receiptMs} ms alone, ${beside.receiptMs} ms beside the backlog, ${factor.toFixed(2)} times (medians of ${TIMES})`;
      play.found.push(verdict(`the neighbour’s p99 is at most ${FACTOR} times`, factor <= FACTOR ? [] : [text], text));
    }),
  ],
  check: async ({ play }: Outcome) => {
    const { mostInFlight } = (await play.receiver.report()).endpoints[0]!;
    const text = `${mostInFlight} at once, cap ${MOST_IN_FLIGHT}`;
    return [
      verdict('the endpoint that hangs stayed within its cap', mostInFlight <= MOST_IN_FLIGHT ? [] : [text], text),
    ];
  },
};
