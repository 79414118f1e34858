import { afterEach, beforeEach, expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import { keyOf, type Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

let rig: LaneRig;
let fate: Fate;
/** Statements that fail from now on. */
let failing: Set<string>;
/** Statements whose answer, and workers whose statements, do not come before this moment of virtual time. */
let heldUntil: Map<string, number>;
let events = 0;

const travel =
  (time: VirtualTime): Travel =>
  async (owner, name, work) => {
    await time.sleep(Math.max(1, (heldUntil.get(owner) ?? 0) - time.now));
    if (failing.has(name)) throw new Error(`${name} fails`);
    const answer = work();
    await time.sleep(Math.max(1, (heldUntil.get(name) ?? 0) - time.now));
    return answer;
  };

function stage(lanes: number, maxInFlight: number): void {
  rig = new LaneRig({ lanes, maxInFlight, fate: (sent) => fate(sent), travel });
  rig.time.install();
}

beforeEach(() => {
  failing = new Set();
  heldUntil = new Map();
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  stage(2, 8);
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

function addRow(endpointNum: number, dueInMs = 0) {
  return rig.model.add(++events, endpointNum, EPOCH_MS + rig.time.now + dueInMs);
}

const isSettled = () => rig.model.rows.size === 0;
const sentTo = (endpointNum: number) => rig.sent.filter((sent) => sent.endpointNum === endpointNum).length;

test('a lane with nothing to do is given back, and its next due delivery rings it', async () => {
  rig.model.addEndpoint(1, 0, 4);
  const { owner } = rig.startWorker();
  addRow(1);
  addRow(1, 3_000);
  void owner.hold(0);
  expect(await rig.time.pass(2_000, () => rig.isFree(0) && rig.model.lanes.get(0)!.epoch === 1)).toBe(true);
  expect(rig.sent).toHaveLength(1);
  expect(await rig.time.pass(4_000, isSettled)).toBe(true);
  expect(rig.sent[1]!.at).toBeGreaterThanOrEqual(3_000);
});

test('a wake that comes while a lane is being given back rings it again', async () => {
  rig.model.addEndpoint(1, 0, 4);
  const { owner } = rig.startWorker();
  void owner.hold(0);
  heldUntil.set('release', 2_000);
  await rig.time.pass(1_000, () => rig.isFree(0) && rig.model.lanes.get(0)!.epoch === 1);
  addRow(1);
  rig.wake(0);
  heldUntil.clear();
  expect(await rig.time.pass(2_500, isSettled)).toBe(true);
});

test('a lane that another worker holds is not served, and the hold ends', async () => {
  rig.model.addEndpoint(1, 0, 4);
  const [first, second] = [rig.startWorker(), rig.startWorker()];
  fate = () => ({ outcome: answered(200), afterMs: 1_000 });
  addRow(1);
  void first.owner.hold(0);
  await rig.time.pass(50);
  let isOver = false;
  void second.owner.hold(0).then(() => {
    isOver = true;
  });
  expect(await rig.time.pass(100, () => isOver)).toBe(true);
  expect(await rig.time.pass(2_000, isSettled)).toBe(true);
  expect(rig.sent.map((sent) => sent.worker)).toEqual([first.id]);
});

test('with a second worker there, surplus lanes are drained: nothing new is sent on them and they are rung for it', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, num - 1, 1);
  fate = () => ({ outcome: answered(200), afterMs: 700 });
  const first = rig.startWorker();
  for (const num of [1, 2]) for (let i = 0; i < 8; i++) addRow(num);
  for (const lane of [0, 1]) void first.owner.hold(lane);
  await rig.time.pass(100);
  rig.startWorker();
  let drainedAt = Number.POSITIVE_INFINITY;
  first.owner.onShare = (lanes) => {
    expect(lanes).toBe(1);
    drainedAt = rig.time.now;
  };
  expect(await rig.time.pass(5_000, () => rig.isFree(0) || rig.isFree(1))).toBe(true);
  expect(rig.time.now).toBeGreaterThan(drainedAt);
  const late = rig.sent.filter((sent) => sent.at > drainedAt);
  expect(new Set(late.map((sent) => sent.endpointNum)).size).toBeLessThanOrEqual(1);
  expect(await rig.time.pass(20_000, isSettled)).toBe(true);
});

test('lanes that were being taken when the share became smaller are surplus too: the other worker gets its part', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, num - 1, 1);
  fate = () => ({ outcome: answered(200), afterMs: 700 });
  rig.startWorker();
  await rig.time.pass(50);
  for (const num of [1, 2]) for (let i = 0; i < 8; i++) addRow(num);
  const second = rig.startWorker();
  for (const lane of [0, 1]) void second.owner.hold(lane);
  const heldBySecond = () => [0, 1].filter((lane) => rig.model.leaseOf(second.id, lane).isHeld).length;
  expect(await rig.time.pass(100, () => heldBySecond() === 2)).toBe(true);
  expect(await rig.time.pass(4_000, () => heldBySecond() === 1)).toBe(true);
  expect(await rig.time.pass(20_000, isSettled)).toBe(true);
});

test('what a stop finds under way is settled, what waits is not sent, and every lane is free afterwards', async () => {
  rig.model.addEndpoint(1, 0, 2);
  fate = () => ({ outcome: answered(200), afterMs: 300 });
  const worker = rig.startWorker();
  for (let i = 0; i < 6; i++) addRow(1);
  void worker.owner.hold(0);
  await rig.time.pass(50);
  let isStopped = false;
  void rig.stopWorker(worker, 5_000).then(() => {
    isStopped = true;
  });
  expect(await rig.time.pass(2_000, () => isStopped)).toBe(true);
  expect(rig.sent).toHaveLength(2);
  expect(rig.model.rows.size).toBe(4);
  expect(rig.isFree(0)).toBe(true);
  expect(rig.failures).toEqual([]);
});

test('a stop gives back a lane whose acquisition is still under way', async () => {
  rig.model.addEndpoint(1, 0, 2);
  const worker = rig.startWorker();
  addRow(1);
  heldUntil.set('acquire', 200);
  void worker.owner.hold(0);
  await rig.time.pass(20);
  let isStopped = false;
  void rig.stopWorker(worker, 5_000).then(() => {
    isStopped = true;
  });
  expect(await rig.time.pass(2_000, () => isStopped)).toBe(true);
  expect(rig.sent).toHaveLength(0);
  expect(rig.isFree(0)).toBe(true);
});

test('a receiver that never answers does not hold a stop up past its deadline, which says what it cut off', async () => {
  rig.model.addEndpoint(1, 0, 2);
  fate = () => ({ outcome: answered(200), afterMs: 60_000 });
  const worker = rig.startWorker();
  addRow(1);
  void worker.owner.hold(0);
  await rig.time.pass(50);
  let isStopped = false;
  void rig.stopWorker(worker, 1_000).then(() => {
    isStopped = true;
  });
  expect(await rig.time.pass(2_000, () => isStopped)).toBe(true);
  expect(rig.isFree(0)).toBe(true);
  expect(rig.model.rows.size).toBe(1);
  expect(rig.failures).toEqual([expect.stringMatching(/^stop of requests: 1 had no answer/)]);
});

test('a lane that its heartbeat reports lost is let go of, with what waits for it', async () => {
  rig.model.addEndpoint(1, 0, 1);
  fate = () => ({ outcome: answered(200), afterMs: 3_500 });
  const worker = rig.startWorker();
  for (let i = 0; i < 4; i++) addRow(1);
  let isOver = false;
  void worker.owner.hold(0).then(() => {
    isOver = true;
  });
  await rig.time.pass(100);
  rig.model.steal(0);
  expect(await rig.time.pass(2_100, () => isOver)).toBe(true);
  expect(rig.lost).toEqual([0]);
  await rig.time.pass(5_000);
  expect(rig.sent).toHaveLength(1);
});

test('the backlog of an endpoint that takes no more is parked, and others are served although nobody wakes their lane', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 1);
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 1 ? 4_000 : 5 });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 40; i++) addRow(1);
  for (let i = 0; i < 10; i++) addRow(2);
  void owner.hold(0);
  expect(await rig.time.pass(3_500, () => sentTo(2) === 10)).toBe(true);
  expect([...rig.model.rows.values()].filter((row) => row.parked).length).toBeGreaterThan(20);
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  expect(await rig.time.pass(8_000, isSettled)).toBe(true);
});

test('what is parked for a disabled endpoint goes out once it is enabled', async () => {
  rig.model.addEndpoint(1, 0, 2);
  rig.model.addEndpoint(2, 0, 2);
  rig.model.change(1, { enabled: false });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 5; i++) addRow(1);
  // Something under way keeps the lane in the worker's hands.
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
  addRow(2);
  void owner.hold(0);
  await rig.time.pass(500);
  expect(sentTo(1)).toBe(0);
  rig.model.change(1, { enabled: true });
  expect(await rig.time.pass(2_000, () => sentTo(1) === 5)).toBe(true);
});

test('deliveries of a deleted endpoint are cancelled without a request, the parked ones too', async () => {
  rig.model.addEndpoint(1, 0, 2);
  rig.model.change(1, { deleted: true });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 30; i++) addRow(1).parked = i % 2 === 0;
  void owner.hold(0);
  expect(await rig.time.pass(2_000, isSettled)).toBe(true);
  expect(rig.sent).toHaveLength(0);
});

test.each(['bodies', 'targets', 'fetchParked', 'parkedEndpoints'])(
  'parked deliveries are not forgotten when %s fails once',
  async (name) => {
    for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 2);
    fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
    const { owner } = rig.startWorker();
    for (let i = 0; i < 5; i++) addRow(1).parked = true;
    // Keeps the lane, so that nobody takes it anew.
    addRow(2);
    failing.add(name);
    void owner.hold(0);
    expect(await rig.time.pass(2_000, () => rig.failures.length > 0)).toBe(true);
    failing.clear();
    expect(await rig.time.pass(5_000, () => sentTo(1) === 5)).toBe(true);
  },
);

test('parked deliveries are not forgotten when their events cannot be read just then', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 2);
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
  rig.model.change(1, { enabled: false });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 3; i++) addRow(1);
  addRow(2);
  void owner.hold(0);
  await rig.time.pass(500);
  failing.add('bodies');
  rig.model.change(1, { enabled: true });
  expect(await rig.time.pass(2_000, () => rig.failures.length > 0)).toBe(true);
  failing.clear();
  expect(await rig.time.pass(5_000, () => sentTo(1) === 3)).toBe(true);
});

test('a backlog that is looked for while its rows are still on their way to be parked is not forgotten', async () => {
  for (const num of [1, 2, 3]) rig.model.addEndpoint(num, 0, 1);
  const afterMs = new Map([
    [1, 2_500],
    [3, 60_000],
  ]);
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: afterMs.get(endpointNum)! });
  rig.model.change(2, { enabled: false });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 3; i++) addRow(1);
  addRow(3);
  void owner.hold(0);
  await rig.time.pass(400);
  // A parking that takes long, while what waits for another endpoint leaves memory and the endpoint is open again.
  heldUntil.set('park', 3_500);
  addRow(2);
  rig.wake(0);
  await rig.time.pass(100);
  rig.model.change(1, { enabled: false });
  await rig.time.pass(700);
  rig.model.change(1, { enabled: true });
  await rig.time.pass(2_200);
  heldUntil.clear();
  afterMs.set(1, 5);
  expect(sentTo(1)).toBe(1);
  expect(await rig.time.pass(5_000, () => sentTo(1) === 3)).toBe(true);
});

test('a stop waits for attempts that cannot be written yet', async () => {
  rig.model.addEndpoint(1, 0, 1);
  const worker = rig.startWorker();
  addRow(1);
  failing.add('settle');
  void worker.owner.hold(0);
  expect(await rig.time.pass(1_000, () => rig.failures.length > 0)).toBe(true);
  let isStopped = false;
  void rig.stopWorker(worker, 5_000).then(() => {
    isStopped = true;
  });
  await rig.time.pass(300);
  failing.clear();
  expect(await rig.time.pass(4_000, () => isStopped)).toBe(true);
  expect(isSettled()).toBe(true);
});

test('rows that a former owner parked behind the back of the present one are found in time', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 2);
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
  const { owner } = rig.startWorker();
  addRow(2);
  void owner.hold(0);
  await rig.time.pass(500);
  addRow(1).parked = true;
  expect(await rig.time.pass(12_000, () => sentTo(1) === 1)).toBe(true);
});

test('live traffic that fills the memory does not starve a parked backlog', async () => {
  rig.time.restore();
  stage(1, 4);
  for (const num of [1, 2, 3]) rig.model.addEndpoint(num, 0, 4);
  fate = () => ({ outcome: answered(200), afterMs: 20 });
  const { owner } = rig.startWorker();
  for (let i = 0; i < 10; i++) addRow(1).parked = true;
  for (let i = 0; i < 2_000; i++) addRow(2 + (i % 2));
  void owner.hold(0);
  expect(await rig.time.pass(5_000, () => sentTo(1) === 10)).toBe(true);
  expect(rig.model.rows.size).toBeGreaterThan(100);
});

test('an endpoint that could not be disabled is not left closed', async () => {
  rig.model.addEndpoint(1, 0, 1);
  rig.model.addEndpoint(2, 0, 2);
  const { owner } = rig.startWorker();
  fate = ({ endpointNum }) =>
    endpointNum === 2 ? { outcome: answered(200), afterMs: 60_000 } : { outcome: answered(410), afterMs: 5 };
  addRow(2);
  for (let i = 0; i < 3; i++) addRow(1);
  failing.add('disableEndpoint');
  void owner.hold(0);
  await rig.time.pass(2_000, () => rig.failures.length > 0);
  failing.clear();
  expect(await rig.time.pass(3_000, () => !rig.model.endpoints.get(1)!.enabled)).toBe(true);
});

test('a healthy endpoint of low traffic is never parked', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 4);
  fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 60_000 : 5 });
  const { owner } = rig.startWorker();
  addRow(2);
  void owner.hold(0);
  let parked = 0;
  for (let i = 0; i < 400; i++) {
    const row = addRow(1);
    rig.wake(0);
    await rig.time.pass(7);
    if (rig.model.rows.get(keyOf(row))?.parked) parked++;
  }
  expect(parked).toBe(0);
});

test('an error in the midst of sending is a failed attempt of its delivery, and holds up no other', async () => {
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 1);
  const [failed] = [addRow(1), addRow(1), addRow(2)];
  let faults = 0;
  fate = ({ endpointNum }) => {
    if (endpointNum === 1 && faults++ === 0) throw new Error('a fault of ours');
    return { outcome: answered(200), afterMs: 5 };
  };
  void rig.startWorker().owner.hold(0);
  expect(await rig.time.pass(1_000, () => rig.model.rows.size === 1)).toBe(true);
  expect([...rig.model.rows.values()]).toMatchObject([{ ...failed, attempt: 1, dueAtMs: expect.any(Number) }]);
  expect(await rig.time.pass(60_000, isSettled)).toBe(true);
});

test('lanes past the share of this worker are turned away and rung again a little later', async () => {
  const first = rig.startWorker();
  rig.startWorker();
  await rig.time.pass(2_050);
  rig.model.addEndpoint(1, 0, 1);
  rig.model.addEndpoint(2, 1, 1);
  fate = () => ({ outcome: answered(200), afterMs: 1_000 });
  for (const num of [1, 2]) addRow(num);
  for (const lane of [0, 1]) void first.owner.hold(lane);
  await rig.time.pass(500);
  expect([0, 1].filter((lane) => rig.model.leaseOf(first.id, lane).isHeld)).toEqual([0]);
  expect(await rig.time.pass(5_000, isSettled)).toBe(true);
});

test('an endpoint never has more under way than it takes when its lane is lost and comes back to the same process', async () => {
  rig.model.addEndpoint(1, 0, 2);
  fate = () => ({ outcome: answered(200), afterMs: 4_000 });
  const { owner, sender } = rig.startWorker();
  for (let i = 0; i < 6; i++) addRow(1);
  void owner.hold(0);
  await rig.time.pass(300);
  expect(sender.inFlight).toBe(2);
  rig.model.steal(0);
  expect(await rig.time.pass(2_000, () => rig.lost.length > 0)).toBe(true);
  void owner.hold(0);
  await rig.time.pass(1_000);
  expect([sender.inFlight, rig.sent.length]).toEqual([2, 4]);
  expect(await rig.time.pass(20_000, isSettled)).toBe(true);
});

test('a lease that has run out by its owner’s clock is lost: it hangs up before another sends to the same endpoint', async () => {
  rig.model.addEndpoint(1, 0, 2);
  fate = () => ({ outcome: answered(200), afterMs: 20_000 });
  const cutOff = rig.startWorker();
  const other = rig.startWorker();
  await rig.time.pass(1_100);
  for (let i = 0; i < 6; i++) addRow(1);
  void cutOff.owner.hold(0);
  await rig.time.pass(200);
  expect(cutOff.sender.inFlight).toBe(2);
  // Its statements go nowhere from now on; the other takes the lane as soon as the lease has run out.
  heldUntil.set(cutOff.id, Number.POSITIVE_INFINITY);
  const ask = () => {
    void other.owner.hold(0);
    rig.time.after(10, ask);
  };
  ask();
  let most = 0;
  other.sender.onSend = () => {
    most = Math.max(most, cutOff.sender.inFlight + other.sender.inFlight);
  };
  expect(await rig.time.pass(6_000, () => other.sender.inFlight === 2)).toBe(true);
  expect([most, cutOff.sender.inFlight]).toEqual([2, 0]);
});

test('a worker that is alone keeps its lanes while Postgres is away: slow requests need not be made again', async () => {
  rig.model.addEndpoint(1, 0, 2);
  fate = () => ({ outcome: answered(200), afterMs: 6_000 });
  const { owner } = rig.startWorker();
  addRow(1);
  void owner.hold(0);
  await rig.time.pass(100);
  failing.add('heartbeat');
  await rig.time.pass(5_000);
  failing.clear();
  expect(await rig.time.pass(3_000, isSettled)).toBe(true);
  expect(rig.sent).toHaveLength(1);
});
