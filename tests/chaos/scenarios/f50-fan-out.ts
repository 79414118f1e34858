import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText } from '../steps/measure.ts';

/** Deliveries a second: what two cores make beside the harness. */
const PER_SECOND = 4_000;
/** 99th percentiles of the neighbour: five thousand deliveries at once take more of a second than those of one event. */
const POST_MS = 500;
const RECEIPT_MS = 2_000;

const fanOut = (endpoints: number): Scenario => ({
  id: 'F50',
  title: `one event for ${endpoints.toLocaleString('en')} endpoints, ten times, beside another tenant`,
  rows: ['F50'],
  expected:
    'each is stored whole; of the other tenant, posts are acknowledged within half a second and delivered within two (p99)',
  endpoints: [
    { name: 'neighbour', tenant: 'quiet' },
    ...Array.from({ length: endpoints }, (_, i) => ({ name: `fan ${i}`, tenant: 'wide', isCopy: i > 0 })),
  ],
  load: null,
  steps: [
    step(`ten events for ${endpoints} endpoints each`, async (play) => {
      const wide = play.startLoad({ perSecond: PER_SECOND / endpoints, events: 10, slots: 2, tenants: ['wide'] });
      const measured = await measure(play, { perSecond: 40, events: 400, slots: 4, tenants: ['quiet'] }, 0);
      await wide!.done;
      const text = measuredText(measured);
      const isHeld = measured.postMs < POST_MS && measured.receiptMs < RECEIPT_MS;
      play.found.push(verdict('the neighbour’s posts and deliveries are not held up', isHeld ? [] : [text], text));
    }),
  ],
  recoveryAtMostMs: 180_000,
});

export const f50: Scenario = { ...fanOut(5_000), short: fanOut(1_000) };
