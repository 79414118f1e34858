import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig, type RigWorker } from './fixtures/lane-rig.ts';

let rig: LaneRig;
let worker: RigWorker;

beforeEach(() => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(200), afterMs: 300 }) });
  rig.time.install();
  worker = rig.startWorker();
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

/** @returns whether it has stopped yet */
function beginStop(): () => boolean {
  let isStopped = false;
  void rig.stopWorker(worker, 5_000).then(() => {
    isStopped = true;
  });
  return () => isStopped;
}

test('a lane that is being drained is rung for whoever takes it next when something comes for it', async () => {
  rig.model.addEndpoint(1, 0, 1);
  rig.model.add(1, 1, EPOCH_MS);
  void worker.owner.hold(0);
  await rig.time.pass(50);
  expect(worker.owner.wake([0])).toEqual([]);
  const isStopped = beginStop();
  await rig.time.pass(50);
  expect(isStopped()).toBe(false);
  expect(worker.owner.wake([0])).toEqual([0]);
  expect(await rig.time.pass(2_000, isStopped)).toBe(true);
});

test('what stands behind the last delivery of a stop is promoted: nobody would look for it', async () => {
  rig.model.addEndpoint(1, 0, 1, 1);
  rig.model.add(1, 1, EPOCH_MS);
  void worker.owner.hold(0);
  await rig.time.pass(50);
  const behind = Object.assign(rig.model.add(2, 1, Number.POSITIVE_INFINITY), { parked: true });
  expect(await rig.time.pass(2_000, beginStop())).toBe(true);
  expect([...rig.model.rows.values()]).toEqual([behind]);
  expect([behind.parked, behind.dueAtMs <= rig.model.now]).toEqual([false, true]);
});
