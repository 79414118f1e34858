import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered, type Sent } from './fixtures/fake-sender.ts';
import { LaneRig, type RigWorker } from './fixtures/lane-rig.ts';
import { BODY, keyOf, type ModelRow } from './fixtures/mailbox-model.ts';

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

test('what is kept in order is read, and so is what nobody here knows the endpoint of', async () => {
  rig.model.addEndpoint(2, 0, 4, 1);
  rig.model.addEndpoint(3, 0, 4);
  for (let event = 2; event < 22; event++) {
    await commit(event, [1, 2, 3]);
    await rig.time.pass(20);
  }
  await drain();
  expect(rig.sent).toHaveLength(61);
  // The very first one, all twenty of the ordered endpoint, and the first of the unknown one.
  expect(rowsRead()).toBe(22);
});

test('no more is taken than an endpoint has places for, though several commits are under way, and what is left is read first', async () => {
  answerMs = 5_000;
  for (const num of [2, 3, 4]) rig.model.addEndpoint(num, 0, 4);
  for (const num of [2, 3, 4]) rig.model.add(num, num, rig.model.now);
  rig.wake(0);
  await rig.time.pass(100);
  const eventsOf = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => from + i).flatMap((event) => rig.model.deliveriesOf(event, [2]));
  // A quarter of the rows that fit are the part of each of four endpoints; more than that is free for new ones.
  const first = worker.owner.expect(eventsOf(1_200, 10_000))!;
  const second = worker.owner.expect(eventsOf(10, 20_000))!;
  expect(second.endpoints.size).toBe(0);
  const other = worker.owner.expect(rig.model.deliveriesOf(3, [1]))!;
  other.missed(true);
  await rig.time.pass(100);
  expect([...first.arrived([], { get: () => undefined }).lanes]).toEqual([0]);
  expect(worker.owner.expect(rig.model.deliveriesOf(3, [1]))).toBeNull();
  await rig.time.pass(200);
  expect(worker.owner.expect(rig.model.deliveriesOf(3, [1]))).not.toBeNull();
  // A commit of which nothing was taken is no other.
  const { lanes, events } = second.arrived([], { get: () => undefined });
  expect([...lanes]).toEqual([0]);
  // Their bodies are kept for the read that follows.
  expect(events.size).toBe(10);
  expect(worker.owner.expect(rig.model.deliveriesOf(3, [1]))).toBeNull();
});

test('while slow receivers have their tenants’ slots, new deliveries of those are left to the table, and those of others are not', async () => {
  rig.time.restore();
  const [theirs, other] = [500, 600];
  const fate = ({ endpointNum }: Sent) => ({ outcome: answered(200), afterMs: endpointNum >= theirs ? 5 : 60_000 });
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate });
  rig.time.install();
  for (let num = 1; num <= 40; num++) rig.model.addEndpoint(num, 0, 16).tenantNum = 1 + (num % 4);
  rig.model.addEndpoint(theirs, 0, 16).tenantNum = 1;
  rig.model.addEndpoint(other, 0, 16).tenantNum = 10;
  worker = rig.startWorker();
  void worker.owner.hold(0);
  for (const num of [theirs, other]) rig.model.add(num, num, rig.model.now);
  await rig.time.pass(100);
  for (let event = 1_000; event < 1_400; event++) rig.model.add(event, 1 + (event % 40), rig.model.now);
  rig.wake(0);
  await rig.time.pass(2_000);
  const takes = (num: number) => worker.owner.expect(rig.model.deliveriesOf(2_000, [num]))!.endpoints.has(num);
  expect([takes(theirs), takes(other)]).toEqual([false, true]);
});

test('whenever an event comes while its lane is being given back, it is sent once', async () => {
  answerMs = 60;
  for (let gap = 200; gap <= 700; gap++) {
    const since = rig.sent.length;
    const first = 10_000 + 2 * gap;
    await commit(first);
    await rig.time.pass(gap);
    await commit(first + 1);
    await drain();
    // Had it been sent under a lease that was given back, a sweep would have it sent again.
    for (const lane of rig.model.sleepingLanes(false)) void worker.owner.hold(lane);
    await rig.time.pass(200);
    expect([gap, rig.sent.length - since]).toEqual([gap, 2]);
  }
});

test('a commit that is known to have stored nothing costs its lanes nothing', async () => {
  const before = rig.model.fetches.length;
  for (let event = 2; event < 102; event++) worker.owner.expect(rig.model.deliveriesOf(event, [1]))!.missed(false);
  await commit(200);
  await drain();
  expect(rig.sent).toHaveLength(2);
  expect(rowsRead()).toBe(1);
  expect(rig.model.fetches.length - before).toBeLessThan(5);
});

test('an endpoint that was idle for so long that it is forgotten gets its event at once, though its commit is under way just then', async () => {
  // A request that hangs keeps the lane.
  rig.model.addEndpoint(2, 0, 4);
  answerMs = 500_000;
  rig.model.add(2, 2, rig.model.now);
  rig.wake(0);
  await rig.time.pass(100, () => rig.sent.length === 2);
  answerMs = 5;
  for (const offset of [-2, -1, 0, 1, 2, 3, 4]) {
    // Settings are read, and the idle forgotten, at each full second.
    const next = Math.ceil((rig.time.now + 10_050) / 1_000) * 1_000 + offset;
    await rig.time.pass(next - rig.time.now);
    const since = rig.sent.length;
    void rig.commit(worker, 1_000 + next, [1], () => {});
    await rig.time.pass(2_000, () => rig.sent.length > since);
    expect(rig.time.now - next).toBeLessThan(100);
    await rig.time.pass(50);
  }
});

test('under more load than a tenant’s receivers take, what was committed first goes first, and retries that are due too', async () => {
  rig.time.restore();
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(200), afterMs: 100 }) });
  rig.time.install();
  for (let num = 1; num <= 200; num++) rig.model.addEndpoint(num, 0, 16);
  worker = rig.startWorker();
  void worker.owner.hold(0);
  const early: ModelRow[] = [];
  // 640 a second are taken; of 800 a second those of the first two seconds are all sent within five.
  for (let event = 1; event <= 4_000; event++) {
    const num = 1 + (event % 200);
    if (event % 40 === 0) {
      const retry = Object.assign(rig.model.add(event, num, rig.model.now), { attempt: 1, step: 1 });
      if (event <= 1_600) early.push(retry);
    } else void rig.commit(worker, event, [num], (rows) => event <= 1_600 && early.push(...rows));
    await rig.time.pass(1.25);
  }
  expect(early).toHaveLength(1_600);
  const sent = new Set(rig.sent.map(({ key }) => key));
  expect(early.filter((row) => !sent.has(keyOf(row)))).toEqual([]);
});

test('while rows of its lane wait in the table that it has not read, nothing is taken before them, though there is room', async () => {
  answerMs = 50;
  for (let num = 2; num <= 201; num++) {
    rig.model.addEndpoint(num, 0, 4);
    for (let event = 100; event < 108; event++) rig.model.add(event, num, rig.model.now);
  }
  const expectation = () => worker.owner.expect(rig.model.deliveriesOf(2, [1]));
  rig.wake(0);
  expect(await rig.time.pass(100, () => rig.model.fetches.filter((rows) => rows === 500).length === 2)).toBe(true);
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
  expected.missed(true);
  // Not only when it is time to look again.
  expect(await rig.time.pass(15, () => rig.sent.length === 2)).toBe(true);
  await drain();
  expect(rowsRead()).toBe(2);
  expect([...expected.arrived([], { get: () => BODY }).lanes]).toEqual([]);
  await rig.time.pass(1_000);
  expect(rig.sent).toHaveLength(2);
});

test('a commit that is not answered for more than a second is read from the table, and not sent again when the answer comes', async () => {
  const expected = worker.owner.expect(rig.model.deliveriesOf(2, [1]))!;
  rig.model.add(2, 1, rig.model.now);
  expect(await rig.time.pass(2_500, () => rig.model.rows.size === 0)).toBe(true);
  expect(rig.sent).toHaveLength(2);
  expected.arrived([], { get: () => BODY });
  expected.missed(true);
  await rig.time.pass(1_000);
  expect(rig.sent).toHaveLength(2);
});
