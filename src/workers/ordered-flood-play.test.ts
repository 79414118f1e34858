import { afterEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import { keyOf } from './fixtures/mailbox-model.ts';

const KEYS = 40;
const FLOODED = 1;
/** Looks that come through the flood itself. */
const PARTS = 3;

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

test('each key of a flooded endpoint goes on while its flood is looked for, however long a backlog of others that has to look through', async () => {
  let looks = 0;
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 64,
    fate: ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === FLOODED ? 50 : 15_000 }),
    travel: (time) => async (_owner, name, work) => {
      await time.sleep(2);
      if (name === 'parkEndpoints' && ++looks > PARTS) await time.sleep(120_000);
      return work();
    },
  });
  rig.time.install();
  rig.model.addEndpoint(FLOODED, 0, 16, KEYS);
  const keys = new Map<string, number>();
  for (let i = 0; i < 1_200; i++) {
    const row = rig.model.add(++events, FLOODED, EPOCH_MS - 60_000 + i);
    keys.set(keyOf(row), row.place!.key);
  }
  rig.model.looks = 500;
  for (let num = 2; num < 12; num++) {
    rig.model.addEndpoint(num, 0, 16).tenantNum = num;
    for (let i = 0; i < 200; i++) rig.model.add(++events, num, EPOCH_MS - 50_000 + i);
  }
  void rig.startWorker().owner.hold(0);
  expect(await rig.time.pass(10_000, () => looks > PARTS)).toBe(true);
  await rig.time.pass(2_000);
  const before = rig.sent.length;
  await rig.time.pass(10_000);
  const sent = new Set(rig.sent.slice(before).map(({ key }) => keys.get(key)));
  expect(sent.size).toBe(KEYS);
});
