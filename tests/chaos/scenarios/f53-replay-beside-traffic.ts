import { eventually } from '../../support/eventually.ts';
import { answer } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText } from '../steps/measure.ts';

const REPLAYED = 10_000;
/** Place of the endpoint that the replay is for. */
const REPLAYED_AT = 1;
const FACTOR = 3;
const load = { perSecond: 40, events: 400, slots: 4, tenants: ['live'] };

export const f53: Scenario = {
  id: 'F53',
  title:
    'a replay of 10,000 events to an endpoint that takes 16 at a time, beside live events for the same endpoint’s neighbours',
  rows: ['F53'],
  expected:
    'the same webhook-id, and live events do not wait behind it: their p99 is at most three times what it is alone',
  stage: { workers: 1, env: { LANES: '1' } },
  endpoints: [
    { name: 'live', tenant: 'live', behaviour: answer(204, { afterMs: 5 }) },
    { name: 'replayed', tenant: 'past', behaviour: answer(204, { afterMs: 5 }) },
  ],
  load: null,
  steps: [
    step('live events alone', async (play) => {
      await play.startLoad({ perSecond: 1e6, events: REPLAYED, batch: 500, slots: 4, tenants: ['past'] })!.done;
      await eventually(
        () => play.query('SELECT 1 FROM mailbox LIMIT 1'),
        (rows) => rows.length === 0,
        60_000,
      );
      const alone = await measure(play, load, 0);
      play.say(`alone: ${measuredText(alone)}; the replay begins`);
      const { id } = await play.call('POST', '/v1/tenants/past/replays', { since: '2020-01-01T00:00:00Z' }, 202);
      const beside = await measure(play, load, 0);
      const sent = (await play.receiver.report()).endpoints[REPLAYED_AT]!.requests - REPLAYED;
      play.say(`${sent} deliveries were replayed meanwhile`);
      const text = `alone: ${measuredText(alone)}; beside the replay: ${measuredText(beside)}`;
      play.found.push(
        verdict(
          `live events’ p99 is at most ${FACTOR} times`,
          beside.receiptMs <= alone.receiptMs * FACTOR ? [] : [text],
          text,
        ),
        verdict('the replay went on meanwhile', sent > 0 ? [] : ['nothing was sent'], `${sent} were sent`),
      );
      const { matched, done } = await eventually(
        () => play.call('GET', `/v1/tenants/past/replays/${id}`),
        ({ state }) => state === 'completed',
        90_000,
      );
      const counted = `${matched} matched, ${done} done`;
      play.found.push(
        verdict('the replay counts them all', matched === REPLAYED && done === REPLAYED ? [] : [counted], counted),
      );
    }),
  ],
  check: async ({ play, tally }: Outcome) => {
    const { good } = (await play.receiver.report()).endpoints[REPLAYED_AT]!;
    const text = `${good} answered with 2xx, ${tally.duplicates} of them again`;
    const isHeld = good === 2 * REPLAYED && tally.duplicates === REPLAYED;
    return [verdict('each of them was sent once more', isHeld ? [] : [text], text)];
  },
  endsOften: true,
  repeatsAtMost: REPLAYED,
  recoveryAtMostMs: 90_000,
};
