import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import type { Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

let rig: LaneRig;

/** Postgres says of all attempts that their lanes are not ours. */
const travel =
  (time: VirtualTime): Travel =>
  async (_owner, name, work) => {
    await time.sleep(1);
    const answer = name === 'settle' ? new Set() : work();
    await time.sleep(1);
    return answer;
  };

beforeEach(() => {
  const fate: Fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
  rig = new LaneRig({ lanes: 1, maxInFlight: 8, fate, travel });
  rig.time.install();
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

test('a lane that is held here, and whose attempts are not written all the same, is hung up on and free for others at once', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 1);
  for (const num of [1, 2]) rig.model.add(num, num, EPOCH_MS);
  const { owner, sender } = rig.startWorker();
  let isOver = false;
  void owner.hold(0).then(() => {
    isOver = true;
  });
  expect(await rig.time.pass(200, () => isOver && rig.isFree(0))).toBe(true);
  expect([rig.sent.length, rig.lost, sender.inFlight]).toEqual([2, [0], 0]);
  expect(rig.failures).toEqual(['settle of a delivery: not written']);
});
