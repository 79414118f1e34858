import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import { between } from '../harness/random.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { randomFault, usual } from '../steps/random-faults.ts';

const MINUTES = 10;
const PROGRESS_MS = 10_000;
const MB = 1024 * 1024;
/** Events a second when time is the measure, and when their number is. */
const STEADY = 400;
const FAST = 2_000;
/** Deliveries a second that a busy machine makes at least, once the faults are over. */
const DRAINED = 1_000;

/** Kills, wipes, restarts and hangs at random under load, for so many minutes, or until so many events were posted. */
export function soak(minutes: number | undefined, events: number | undefined): Scenario {
  const isCounted = events !== undefined && minutes === undefined;
  const forMs = isCounted ? Number.POSITIVE_INFINITY : (minutes ?? MINUTES) * 60_000;
  return {
    id: 'soak',
    title: `faults at random under load, ${isCounted ? `until ${events} events were posted` : `for ${forMs / 60_000} minutes`}`,
    rows: ['F58'],
    expected: 'lost 0; repeats no more than crashes explain; memory, files and connections flat',
    stage: { apis: 2, workers: 3, proxied: ['postgres', 'redis'] },
    endpoints: Array.from({ length: 8 }, (_, i) => ({
      name: `endpoint ${i}`,
      tenant: i < 4 ? 'acme' : 'globex',
      group: `g${i % 4}`,
      settings: { max_in_flight: 32 },
      behaviour: usual,
    })),
    load: { perSecond: isCounted ? FAST : STEADY, slots: 8, batch: 50, ...(events === undefined ? {} : { events }) },
    steps: [step('faults begin', (play) => suffer(play, performance.now() + forMs))],
    refusals: [503],
    refusalAtMostMs: 4_000,
    recoveryAtMostMs: 180_000 + ((events ?? 0) / DRAINED) * 1_000,
    check: async ({ play }: Outcome) => {
      const [{ dead }] = await play.query('SELECT count(*)::int AS dead FROM attempts WHERE decision = 3');
      return [verdict('no delivery was given up', dead === 0 ? [] : [`${dead} dead letters`], 'no dead letters')];
    },
  };
}

async function suffer(play: Play, until: number): Promise<void> {
  let isPosting = true;
  void Promise.all(play.producers.map(({ done }) => done)).then(() => {
    isPosting = false;
  });
  const progress = setInterval(() => void tell(play), PROGRESS_MS);
  play.onClose(async () => clearInterval(progress));
  while (isPosting && performance.now() < until) {
    const fault = randomFault(play);
    play.say(fault.what);
    await fault.run(play);
    await play.pause(between(play.random, 200, 4_000));
  }
  clearInterval(progress);
}

async function tell({ history, receiver, say }: Play): Promise<void> {
  const { good, inFlight } = await receiver.report();
  const harnessMb = Math.round(process.memoryUsage().rss / MB);
  say(
    `posted ${history.count}, acknowledged ${history.acknowledged}, answered 2xx ${good}, in flight ${inFlight}; harness ${harnessMb} MB`,
  );
}
