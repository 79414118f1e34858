import { afterEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';

let rig: LaneRig;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

/** A worker with rows of a receiver that takes its time. */
function startWith(rows: number, afterMs: number, pauseMs = 0): void {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, pauseMs, fate: () => ({ outcome: answered(200), afterMs }) });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 20);
  for (let event = 1; event <= rows; event++) rig.model.add(event, 1, EPOCH_MS + rig.time.now);
  rig.startWorker();
  rig.wake(0);
}

test('what is in memory is not read again, however often the lane looks', async () => {
  startWith(10, 2_000);
  await rig.time.pass(1_900);
  expect(rig.model.fetches.length).toBeGreaterThan(20);
  expect(rig.model.fetches.reduce((sum, rows) => sum + rows, 0)).toBe(10);
});

test('a busy process fetches every 25 ms at the most, however often it is woken', async () => {
  startWith(1, 5, 25);
  await rig.time.pass(100);
  const before = rig.model.fetches.length;
  for (let ms = 0; ms < 500; ms++) {
    rig.model.add(100 + ms, 1, EPOCH_MS + rig.time.now);
    rig.wake(0);
    await rig.time.pass(1);
  }
  const fetches = rig.model.fetches.length - before;
  expect(fetches).toBeLessThanOrEqual(20);
  expect(fetches).toBeGreaterThan(10);
  await rig.time.pass(500, () => rig.model.rows.size === 0);
  expect(rig.sent).toHaveLength(501);
});
