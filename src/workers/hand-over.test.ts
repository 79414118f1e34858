import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { LaneRig, type RigWorker } from './fixtures/lane-rig.ts';

let rig: LaneRig;
let worker: RigWorker;
/** How long receivers take. */
let answerMs: number;

beforeEach(async () => {
  answerMs = 5;
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 2_000,
    fate: () => ({ outcome: answered(200), afterMs: answerMs }),
  });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 4);
  worker = rig.startWorker();
  // The first one is read: only then is the lane awake and the endpoint known.
  rig.model.add(1, 1, rig.model.now);
  rig.wake(0);
  await rig.time.pass(100, () => rig.model.rows.size === 0);
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

const rowsRead = () => rig.model.fetches.reduce((sum, rows) => sum + rows, 0);

async function commit(event: number, endpointNums: readonly number[] = [1]): Promise<void> {
  await settled(rig.commit(worker, event, endpointNums, () => {}));
}

async function settled(promise: Promise<void>): Promise<void> {
  let isOver = false;
  void promise.then(() => {
    isOver = true;
  });
  expect(await rig.time.pass(1_000, () => isOver)).toBe(true);
}

async function drain(): Promise<void> {
  expect(await rig.time.pass(5_000, () => rig.model.rows.size === 0)).toBe(true);
}

test('what a process commits for a lane that it has awake is delivered once, and never read', async () => {
  for (let event = 2; event < 52; event++) {
    await commit(event);
    await rig.time.pass(7);
  }
  await drain();
  expect(rig.sent).toHaveLength(51);
  expect(rowsRead()).toBe(1);
});

test('deliveries of an endpoint whose settings changed meanwhile are read, with its settings', async () => {
  rig.model.change(1, { enabled: true });
  await commit(2);
  await drain();
  expect([rig.sent.length, rowsRead()]).toEqual([2, 2]);
  await commit(3);
  await drain();
  expect([rig.sent.length, rowsRead()]).toEqual([3, 2]);
});

test('what an endpoint cannot take at once, or keeps in order, and what nobody here knows the endpoint of, is read', async () => {
  rig.model.addEndpoint(2, 0, 4, 1);
  rig.model.addEndpoint(3, 0, 4);
  answerMs = 50;
  for (let event = 2; event < 22; event++) await commit(event, [1, 2, 3]);
  await drain();
  expect(rig.sent).toHaveLength(61);
  expect(rowsRead()).toBeGreaterThan(21);
});

test('while rows of its lane wait in the table that it has not read, nothing is taken before them, though there is room', async () => {
  answerMs = 50;
  for (let num = 2; num <= 201; num++) {
    rig.model.addEndpoint(num, 0, 4);
    for (let event = 100; event < 104; event++) rig.model.add(event, num, rig.model.now);
  }
  const expectation = () => worker.owner.expect(rig.model.deliveriesOf(2, [1]));
  rig.wake(0);
  expect(await rig.time.pass(100, () => rig.model.fetches.at(-1) === 500)).toBe(true);
  await rig.time.pass(1.5);
  expect(expectation()).toBeNull();
  await drain();
  expect([...expectation()!.endpoints]).toEqual([[1, 1]]);
});

test('a commit whose fate nobody knows is left to the table', async () => {
  const deliveries = rig.model.deliveriesOf(2, [1]);
  const expected = worker.owner.expect(deliveries)!;
  rig.model.add(2, 1, rig.model.now);
  await rig.time.pass(150);
  expect(rig.sent).toHaveLength(1);
  expected.missed();
  await drain();
  expect([rig.sent.length, rowsRead()]).toEqual([2, 2]);
});
