import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import { keyOf, type Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

let rig: LaneRig;
/** So many answers to a giving up are lost. */
let lost: number;

const travel =
  (time: VirtualTime): Travel =>
  async (_owner, name, work) => {
    await time.sleep(1);
    const answer = work();
    await time.sleep(1);
    if (name === 'giveUp' && lost-- > 0) throw new Error('connection lost');
    return answer;
  };

beforeEach(() => {
  lost = 0;
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 8,
    fate: ({ key }) => ({ outcome: answered(rig.model.refused.has(key) ? 500 : 200), afterMs: 5 }),
    travel,
  });
  rig.time.install();
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

test.each([
  ['pause', 'waits', 1],
  ['continue', 'goes', 2],
] as const)(
  'G5: where a dead letter has its key %s, what stands behind one that is given up %s, whether or not the answer came',
  async (onDeadLetter, _what, sent) => {
    lost = 1;
    rig.model.addEndpoint(1, 0, 4, 1).onDeadLetter = onDeadLetter;
    const first = rig.model.add(1, 1, EPOCH_MS);
    rig.model.add(2, 1, EPOCH_MS);
    rig.model.refused.add(keyOf(first));
    void rig.startWorker().owner.hold(0);
    await rig.time.pass(5_000);
    expect([rig.sent.length, rig.model.rows.size]).toEqual([sent, 2 - sent]);
    expect(rig.failures).toContain('settle of 1 attempts: connection lost');
  },
);
