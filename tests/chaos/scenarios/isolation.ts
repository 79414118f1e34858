import { laneOf } from '../../../src/routing/lane-of.ts';
import { eventually } from '../../support/eventually.ts';
import { type Verdict, verdict } from '../harness/judge.ts';
import { quantile } from '../harness/lags.ts';
import { readOvertaken } from '../harness/overtaken.ts';
import type { Play } from '../harness/play.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText, medianOf } from '../steps/measure.ts';

const MOST_IN_FLIGHT = 16;
/** In another lane than the one that hangs. */
const CONTROL = 1;
const QUIET = 2;
const LANES = 2;
/** Posts to the control that may overtake one to the neighbour, beyond what overtakes the control: 10 ms each. */
const MOST_OVERTAKEN = 3;
interface Size {
  readonly backlog: number;
  /** Measurements, of which the median counts, and the events of each. */
  readonly times: number;
  readonly events: number;
  /** Null where the machine may do other things at the same time: then the order of receipt alone is judged. */
  readonly factor: number | null;
}

/** To the neighbour and the control in turn. */
const load = { perSecond: 200, slots: 4, tenants: ['control', 'quiet'] };

const beside = ({ backlog, times, events, factor }: Size): Scenario => ({
  id: 'isolation',
  title: `a tenant with ${backlog.toLocaleString('en')} deliveries waiting for an endpoint that hangs, and its neighbour in the same lane`,
  rows: ['F47'],
  expected: `${factor === null ? '' : `the neighbour’s p99 is at most ${factor} times what it is alone; `}it is not behind an endpoint of another lane; the endpoint that hangs never has more than its cap`,
  stage: { workers: 1, env: { LANES: `${LANES}` } },
  endpoints: [
    {
      name: 'hangs',
      tenant: 'noisy',
      behaviour: { kind: 'hold' },
      settings: { timeout_seconds: 120, max_in_flight: MOST_IN_FLIGHT },
      isLeft: true,
    },
    { name: 'control', tenant: 'control' },
    { name: 'healthy', tenant: 'quiet' },
  ],
  load: null,
  steps: [
    step('', async (play) => void (await measure(play, { ...load, events: 400 }, QUIET))),
    step('the neighbour alone, then with the backlog', async (play) => {
      await expectLanes(play);
      const alone = await medianOf(times, play, { ...load, events }, QUIET);
      play.say(`alone: ${measuredText(alone)}`);
      await play.startLoad({ perSecond: 1e6, events: backlog, batch: 1_000, slots: 4, tenants: ['noisy'] })!.done;
      const arrived = performance.now();
      await eventually(
        () => play.query('SELECT count(*)::int AS count FROM mailbox WHERE NOT parked'),
        ([row]) => row.count < backlog / 100,
        60_000,
      );
      play.say(`${backlog} deliveries wait, parked within ${Math.round(performance.now() - arrived)} ms`);
      const from = play.history.count;
      const loaded = await medianOf(times, play, { ...load, events }, QUIET);
      play.say(`beside the backlog: ${measuredText(loaded)}`);
      play.found.push(await notOvertaken(play, from));
      if (factor === null) return;
      const found = loaded.receiptMs / alone.receiptMs;
      const text = `p99 ${alone.receiptMs} ms alone, ${loaded.receiptMs} ms beside the backlog, ${found.toFixed(2)} times (medians of ${times})`;
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

/** The neighbour shares the lane of the one that hangs, and the control does not. */
async function expectLanes(play: Play): Promise<void> {
  const rows: { id: string; num: number }[] = await play.query('SELECT id, num FROM endpoints');
  const lanes = play.endpoints.map(({ id }) => laneOf(rows.find((row) => row.id === id)!.num, LANES));
  if (lanes[0] !== lanes[QUIET] || lanes[0] === lanes[CONTROL]) throw new Error(`the endpoints are in lanes ${lanes}`);
}

/** Beside a control in the same seconds, so that a slow machine holds up both. */
async function notOvertaken(play: Play, from: number): Promise<Verdict> {
  const events = [from, play.history.count] as const;
  const { first, second } = await readOvertaken(readLedger(play.ledgerPath), [QUIET, CONTROL], events);
  const [neighbour, control] = [first, second].map((counts) =>
    quantile(
      [...counts].sort((a, b) => a - b),
      0.99,
    ),
  );
  const text = `99 in 100 posts to the neighbour are overtaken by at most ${neighbour} later ones to another lane, and those by ${control}`;
  const isHeld = first.length > 0 && neighbour! <= control! + MOST_OVERTAKEN;
  return verdict('the neighbour is not behind an endpoint of another lane', isHeld ? [] : [text], text);
}

export const isolation: Scenario = {
  ...beside({ backlog: 100_000, times: 5, events: 1_600, factor: 1.5 }),
  short: { ...beside({ backlog: 10_000, times: 1, events: 800, factor: null }), ci: true },
};
