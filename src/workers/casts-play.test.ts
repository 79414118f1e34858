import { afterEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';

const COSTLY = 300_000;
const ORDINARY = 300;
const ENDPOINTS = 4;
/** Deliveries of each endpoint: more than costly casts leave time for. */
const EACH = 250;

let rig: LaneRig;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

/** How many deliveries a tenant makes whose casts are ordinary, and the others together, of as many as are due at once. */
async function sentBeside(costly: number) {
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, fate: () => ({ outcome: answered(200), afterMs: 10 }) });
  rig.time.install();
  const endpoints = [...Array(ENDPOINTS * (1 + costly)).keys()].map((num) => rig.model.addEndpoint(num, 0, 4));
  for (const endpoint of endpoints) {
    endpoint.tenantNum = Math.floor(endpoint.num / ENDPOINTS);
    endpoint.castCost = endpoint.tenantNum === 0 ? ORDINARY : COSTLY;
  }
  for (let i = 0; i < EACH; i++) for (const { num } of endpoints) rig.model.add(num * EACH + i, num, EPOCH_MS + i);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(3_000);
  const ordinary = rig.sent.filter(({ endpointNum }) => endpointNum < ENDPOINTS).length;
  return { ordinary, costly: rig.sent.length - ordinary };
}

test.each([2, 5, 20])(
  'G4: casts of %i tenants that take long keep nobody waiting whose casts are ordinary',
  async (tenants) => {
    const { ordinary, costly } = await sentBeside(tenants);
    expect(ordinary).toBe(ENDPOINTS * EACH);
    // Which have their part all the same: 47 a second.
    expect(costly).toBeGreaterThan(100);
  },
);
