import { answer, ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import { measure, measuredText } from '../steps/measure.ts';

const SLOW_MS = 10_000;
const SLOTS = 256;

interface Size {
  readonly tenants: number;
  /** Of each tenant. */
  readonly endpoints: number;
  /** For each endpoint. */
  readonly events: number;
  /** What the neighbour's p99 may be. */
  readonly mostMs: number;
}

const load = { perSecond: 40, events: 400, slots: 4, tenants: ['quiet'] };

const slow = ({ tenants, endpoints, events, mostMs }: Size): Scenario => {
  const names = Array.from({ length: tenants }, (_, i) => `slow-${i}`);
  return {
    id: 'many-tenants',
    title: `${tenants * endpoints} endpoints of ${tenants} tenants take ${SLOW_MS / 1000} s for each of ${events} deliveries, on ${SLOTS} slots, and their neighbour in the same lane`,
    rows: ['F49'],
    expected: `though all of them together want every slot, the neighbour’s p99 is at most ${mostMs} ms`,
    stage: { workers: 1, env: { LANES: '1', MAX_DELIVERIES_IN_FLIGHT: `${SLOTS}` } },
    endpoints: [
      { name: 'healthy', tenant: 'quiet' },
      ...names.flatMap((tenant) =>
        Array.from({ length: endpoints }, (_, i) => ({
          name: `${tenant}, ${i}`,
          tenant,
          group: `g${i}`,
          behaviour: answer(200, { afterMs: SLOW_MS }),
          healed: ok,
        })),
      ),
    ],
    load: null,
    steps: [
      step('the neighbour alone, then beside the others', async (play) => {
        play.say(`alone: ${measuredText(await measure(play, load, 0))}`);
        const all = { perSecond: 1e6, events: tenants * endpoints * events, batch: 500, slots: 4, tenants: names };
        await play.startLoad(all)!.done;
        // Those that came first, to an empty worker, keep what they have for as long as they take.
        await play.pause(2 * SLOW_MS);
        const beside = await measure(play, load, 0);
        const text = `beside the others: ${measuredText(beside)}`;
        const isHeld = beside.receiptMs <= mostMs;
        play.found.push(verdict(`the neighbour’s p99 is at most ${mostMs} ms`, isHeld ? [] : [text], text));
      }),
    ],
    // What a tenant had at once stays open for a while: one after the other, each may have had nearly all.
    filesAtMost: tenants * SLOTS,
    recoveryAtMostMs: 120_000,
  };
};

export const manyTenants: Scenario = {
  ...slow({ tenants: 60, endpoints: 20, events: 15, mostMs: 1_000 }),
  // On machines that stand still for a second: a slot that is not given takes ten.
  short: { ...slow({ tenants: 40, endpoints: 10, events: 10, mostMs: 4_000 }), ci: true },
};
