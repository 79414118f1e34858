import { ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText } from '../steps/measure.ts';

const FACTOR = 2;
const load = { perSecond: 40, events: 400, slots: 4, tenants: ['quiet'] };

const hang = (down: number, eventsEach: number): Scenario => ({
  id: 'F49',
  title: `${down.toLocaleString('en')} endpoints of a tenant hang at once, with ${eventsEach} events each`,
  rows: ['F49'],
  expected: 'slots stay free: the p99 of a healthy endpoint of another tenant is at most twice what it is alone',
  endpoints: [
    { name: 'healthy', tenant: 'quiet' },
    ...Array.from({ length: down }, (_, i) => ({
      name: `hangs ${i}`,
      tenant: 'noisy',
      group: `g${i}`,
      behaviour: { kind: 'hold' } as const,
      healed: ok,
      settings: { timeout_seconds: 2 },
      isCopy: i > 0,
    })),
  ],
  load: null,
  steps: [
    step('the healthy endpoint alone, then beside the others', async (play) => {
      const alone = await measure(play, load, 0);
      await play.startLoad({ perSecond: 1e6, events: down * eventsEach, batch: 500, slots: 4, tenants: ['noisy'] })!
        .done;
      const beside = await measure(play, load, 0);
      const text = `alone: ${measuredText(alone)}; beside ${down} endpoints that hang: ${measuredText(beside)}`;
      play.found.push(
        verdict(
          `the healthy endpoint’s p99 is at most ${FACTOR} times`,
          beside.receiptMs <= alone.receiptMs * FACTOR ? [] : [text],
          text,
        ),
      );
    }),
  ],
  // Their breakers have opened meanwhile, and look again after 30 s, or a minute.
  recoveryAtMostMs: 150_000,
});

export const f49: Scenario = { ...hang(10_000, 3), short: hang(300, 20) };
