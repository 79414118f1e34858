import { afterEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import { keyOf, type Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

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

/** Due for so long that a look which goes on from its cursor does not come upon it again. */
const LONG_DUE_MS = EPOCH_MS - 5_000;
/** Ends before the lanes look from the start: what memory had no room for comes when there is, not by that. */
const BEFORE_RESCAN_MS = 900;

/** Deliveries to four endpoints, more than memory has room for, or than are read at once. */
async function deliverWith(maxBytes: number, rows: number, areParked: boolean): Promise<boolean> {
  rig = new LaneRig({ lanes: 1, maxInFlight: 1_024, maxBytes, fate: () => ({ outcome: answered(200), afterMs: 5 }) });
  rig.time.install();
  for (let num = 1; num <= 4; num++) rig.model.addEndpoint(num, 0, 500).tenantNum = num;
  for (let event = 1; event <= rows; event++) rig.model.add(event, 1 + (event % 4), LONG_DUE_MS).parked = areParked;
  rig.startWorker();
  rig.wake(0);
  return rig.time.pass(BEFORE_RESCAN_MS, () => rig.model.rows.size === 0);
}

test.each([
  ['due rows, of which it holds ten', 360, 40, 5, false],
  ['due rows, of which it does not hold one', 10, 20, 1, false],
  ['a parked backlog, of which it holds ten', 360, 40, 5, true],
  ['a parked backlog larger than what is read at once', 36_000, 900, 500, true],
])(
  'no more bodies are read at once than half of what memory may hold, and what is left as soon as there is room: %s',
  async (_what, maxBytes, rows, atOnce, areParked) => {
    expect(await deliverWith(maxBytes, rows, areParked)).toBe(true);
    expect(rig.sent).toHaveLength(rows);
    expect(Math.max(...rig.model.bodiesRead)).toBe(atOnce);
  },
);

test('where few bytes are free, bodies for endpoints that take nothing are not read one by one', async () => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 1_024,
    maxBytes: 1_440,
    fate: () => ({ outcome: answered(200), afterMs: 60_000 }),
  });
  rig.time.install();
  for (let num = 1; num <= 39; num++) {
    rig.model.addEndpoint(num, 0, 16).tenantNum = num;
    rig.model.add(num, num, EPOCH_MS);
  }
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(100);
  expect(rig.sent).toHaveLength(39);
  const before = rig.model.bodiesRead.length;
  Object.assign(rig.model.addEndpoint(40, 0, 16), { tenantNum: 40, enabled: false });
  for (let event = 100; event < 500; event++) rig.model.add(event, 40, EPOCH_MS + rig.time.now);
  rig.wake(0);
  const areAllParked = () => [...rig.model.rows.values()].filter(({ parked }) => parked).length === 400;
  expect(await rig.time.pass(BEFORE_RESCAN_MS, areAllParked)).toBe(true);
  expect(rig.model.bodiesRead.length - before).toBe(400 / 20);
});

test('while many rows are taken in, whoever waits for the event loop has a turn after 128 of them', async () => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 1_024, fate: () => ({ outcome: answered(200), afterMs: 50 }) });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 1_000);
  for (let event = 1; event <= 400; event++) rig.model.add(event, 1, EPOCH_MS);
  const { sender } = rig.startWorker();
  const sentByTurn: number[] = [];
  const note = () => {
    sentByTurn.push(rig.sent.length);
    if (rig.sent.length < 400) setImmediate(note);
  };
  const check = sender.onSend;
  sender.onSend = (sent) => {
    check(sent);
    if (rig.sent.length === 1) setImmediate(note);
  };
  rig.wake(0);
  await rig.time.pass(40);
  expect(rig.model.bodiesRead).toEqual([400]);
  expect(sentByTurn).toEqual([128, 256, 384, 400]);
});

test('an event of many tenants’ endpoints is read once; its rows beyond what memory has room for are left in the table', async () => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 1_024,
    maxBytes: 4_000,
    fate: () => ({ outcome: answered(200), afterMs: 60 }),
  });
  rig.time.install();
  for (let num = 1; num <= 512; num++) {
    rig.model.addEndpoint(num, 0, 4).tenantNum = num;
    rig.model.add(1, num, LONG_DUE_MS);
  }
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(40);
  expect(rig.model.bodiesRead).toEqual([1]);
  expect(rig.sent).toHaveLength(128);
  expect([...rig.model.rows.values()].filter(({ parked }) => parked)).toEqual([]);
  expect(await rig.time.pass(BEFORE_RESCAN_MS, () => rig.model.rows.size === 0)).toBe(true);
  expect(rig.sent).toHaveLength(512);
});

/** Parked backlogs of endpoints of one tenant, read until nothing is left, or for a while. */
async function drain(given: { endpoints: number; each: number; cap: number; afterMs: number }): Promise<void> {
  const { endpoints, each, cap, afterMs } = given;
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(200), afterMs }) });
  rig.time.install();
  for (let num = 1; num <= endpoints; num++) rig.model.addEndpoint(num, 0, cap);
  for (let i = 0; i < each; i++)
    for (let num = 1; num <= endpoints; num++) rig.model.add(i * endpoints + num, num, EPOCH_MS).parked = true;
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(10_000, () => rig.model.rows.size === 0);
}

const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);

test('of a parked backlog what is in memory is not read again', async () => {
  await drain({ endpoints: 1, each: 600, cap: 16, afterMs: 100 });
  expect(rig.sent).toHaveLength(600);
  expect(sum(rig.model.refills)).toBe(600);
});

test.each([
  ['endpoints that take more at once than memory has room for', { endpoints: 5, each: 100, cap: 200, afterMs: 200 }],
  ['a hundred endpoints', { endpoints: 100, each: 20, cap: 2, afterMs: 20 }],
])('what was read from a parked backlog and found no place is not parked again: %s', async (_what, given) => {
  await drain(given);
  expect(rig.sent).toHaveLength(given.endpoints * given.each);
  expect(sum(rig.model.parkings)).toBe(0);
});

test('what goes back to a parked backlog since its breaker opens is not parked again', async () => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(500), afterMs: 50 }) });
  rig.time.install();
  rig.model.schedule = [0, 60_000];
  rig.model.addEndpoint(1, 0, 16);
  for (let event = 1; event <= 100; event++) rig.model.add(event, 1, EPOCH_MS).parked = true;
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(1_000);
  expect(sum(rig.model.refills)).toBe(32);
  expect(rig.sent.length).toBeLessThan(32);
  expect(sum(rig.model.parkings)).toBe(0);
  expect([...rig.model.rows.values()].filter(({ parked }) => parked)).toHaveLength(100 - rig.sent.length);
});

test('rows that become visible late, one after the other or all at once, are read when their lane is woken', async () => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 64,
    fate: ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 20_000 : 5 }),
  });
  rig.time.install();
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 16);
  // One that is under way keeps the lane from looking from the start.
  rig.model.add(1, 2, EPOCH_MS);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(2_000);
  for (let event = 2; event <= 10; event++) {
    await rig.time.pass(130);
    const late = rig.model.add(event, 1, rig.model.now - 600);
    const at = rig.time.now;
    rig.wake(0);
    expect(await rig.time.pass(50, () => !rig.model.rows.has(keyOf(late)))).toBe(true);
    expect(rig.time.now - at).toBeLessThan(50);
  }
});

/** Bodies take their time to come; every other statement takes 2 ms. */
const withBodiesAfter =
  (bodiesMs: number) =>
  (time: VirtualTime): Travel =>
  async (_owner, name, work) => {
    await time.sleep(1);
    const answer = work();
    await time.sleep(name === 'bodies' ? bodiesMs : 1);
    return answer;
  };

test('what is cancelled while bodies are read is not sent, however many parts they come in', async () => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 64,
    maxBytes: 360,
    travel: withBodiesAfter(60),
    fate: () => ({ outcome: answered(200), afterMs: 5 }),
  });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 20);
  const rows = Array.from({ length: 20 }, (_, i) => rig.model.add(i + 1, 1, EPOCH_MS));
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(1_000, () => rig.model.bodiesRead.length === 1);
  for (const row of rows) rig.model.cancel(row);
  await rig.time.pass(3_000);
  // The first part is sent within a tenth of a second of its reading.
  expect(rig.sent.length).toBeLessThanOrEqual(5);
});

test('bodies of rows that have no place any more are not read: where the bytes of a tenant are full, the rest is parked unread', async () => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 1_024,
    maxBytes: 64 * 36,
    fate: () => ({ outcome: answered(200), afterMs: 50 }),
  });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 1_000);
  for (let event = 1; event <= 1_000; event++) rig.model.add(event, 1, EPOCH_MS);
  rig.startWorker();
  rig.wake(0);
  expect(await rig.time.pass(60_000, () => rig.model.rows.size === 0)).toBe(true);
  expect(rig.sent).toHaveLength(1_000);
  expect(rig.model.bodiesRead.reduce((sum, read) => sum + read, 0)).toBeLessThan(2_000);
});

test('a round ends though many bodies are still to be read, each of which takes its time', async () => {
  const travel = withBodiesAfter(600);
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 256,
    maxBytes: 360,
    travel,
    fate: () => ({ outcome: answered(200), afterMs: 5 }),
  });
  rig.time.install();
  for (let num = 1; num <= 60; num++) {
    Object.assign(rig.model.addEndpoint(num, 0, 4), { tenantNum: num, enabled: false });
    rig.model.add(num, num, EPOCH_MS);
  }
  const { owner } = rig.startWorker();
  rig.wake(0);
  const stalled: number[] = [];
  while ([...rig.model.rows.values()].some(({ parked }) => !parked) && stalled.length < 100) {
    await rig.time.pass(200);
    stalled.push(owner.stalledMs);
  }
  expect(stalled.length).toBeLessThan(100);
  expect(Math.max(...stalled)).toBeLessThan(4_000);
});

/** Statements that travel for so long each way. */
const slowly =
  (msOf: (name: string) => number) =>
  (time: VirtualTime): Travel =>
  async (_owner, name, work) => {
    await time.sleep(msOf(name));
    const answer = work();
    await time.sleep(msOf(name));
    return answer;
  };

test('a lane that has nothing to do is given back where a look takes longer than there is between two', async () => {
  const fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate, travel: slowly(() => 100) });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 20);
  rig.model.add(1, 1, EPOCH_MS);
  rig.startWorker();
  rig.wake(0);
  expect(await rig.time.pass(3_000, () => rig.model.rows.size === 0)).toBe(true);
  expect(rig.isFree(0)).toBe(false);
  expect(await rig.time.pass(5_000, () => rig.isFree(0))).toBe(true);
});

test('while rows are looked for that stand behind nothing, however long that takes, others are sent', async () => {
  const fate = () => ({ outcome: answered(200), afterMs: 5 });
  const travel = slowly((name) => (name === 'promoteAll' ? 20_000 : 1));
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate, travel });
  rig.time.install();
  for (const num of [1, 2]) rig.model.addEndpoint(num, 0, 20);
  rig.model.endpoints.get(2)!.enabled = false;
  rig.model.add(1, 2, EPOCH_MS).parked = true;
  rig.model.add(2, 1, EPOCH_MS);
  rig.startWorker();
  rig.wake(0);
  expect(await rig.time.pass(1_000, () => rig.sent.length === 1)).toBe(true);
  expect(await rig.time.pass(30_000, () => rig.isFree(0))).toBe(false);
  expect(await rig.time.pass(30_000, () => rig.isFree(0))).toBe(true);
});

test('a lane that comes while rows are looked for that stand behind nothing does not leave before its own were looked for', async () => {
  const fate = () => ({ outcome: answered(200), afterMs: 5 });
  // The look ends while a round reads something else.
  const travel = slowly((name) => (name === 'promoteAll' ? 20_000 : name.startsWith('fetchDue') ? 80 : 1));
  rig = new LaneRig({ lanes: 2, maxInFlight: 64, fate, travel });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 20).enabled = false;
  rig.model.add(1, 1, EPOCH_MS).parked = true;
  rig.model.addEndpoint(2, 1, 20, 1);
  Object.assign(rig.model.add(2, 2, EPOCH_MS), { parked: true, dueAtMs: Number.POSITIVE_INFINITY });
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(5_000);
  rig.wake(1);
  expect(await rig.time.pass(90_000, () => rig.sent.length === 1)).toBe(true);
  expect(await rig.time.pass(60_000, () => rig.isFree(0) && rig.isFree(1))).toBe(true);
});

test('where reads from the start are dear they are rare, and a row that became visible late is found all the same', async () => {
  let fromStart = 0;
  let isRead = false;
  const travel =
    (time: VirtualTime): Travel =>
    async (_owner, name, work) => {
      if (name === 'fetchDueFromStart') fromStart++;
      isRead ||= name === 'fetchDue';
      await time.sleep(name === 'fetchDueFromStart' ? 1_000 : 2);
      return work();
    };
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, travel, fate: () => ({ outcome: answered(200), afterMs: 5 }) });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 20);
  rig.startWorker();
  rig.wake(0);
  let event = 0;
  const goOn = async (seconds: number) => {
    for (let i = 0; i < seconds * 10; i++) {
      rig.model.add(++event, 1, rig.model.now);
      rig.wake(0);
      await rig.time.pass(100);
    }
  };
  await goOn(3);
  fromStart = 0;
  await goOn(125);
  expect([fromStart, isRead]).toEqual([2, true]);
  for (const lateMs of [2_000, 10_000]) {
    const late = rig.model.add(++event, 1, rig.model.now - lateMs);
    await goOn(1.5);
    expect(rig.model.rows.has(keyOf(late))).toBe(false);
  }
  const late = rig.model.add(++event, 1, rig.model.now - 60_000);
  await goOn(62);
  expect(rig.model.rows.has(keyOf(late))).toBe(false);
});

test('reads from the start are as rare as all lanes of the worker together make them', async () => {
  let fromStart = 0;
  const travel =
    (time: VirtualTime): Travel =>
    async (_owner, name, work) => {
      if (name === 'fetchDueFromStart') fromStart++;
      await time.sleep(name === 'fetchDueFromStart' ? 100 : 2);
      return work();
    };
  const lanes = 20;
  rig = new LaneRig({ lanes, maxInFlight: 256, travel, fate: () => ({ outcome: answered(200), afterMs: 400 }) });
  rig.time.install();
  const { owner } = rig.startWorker();
  for (let lane = 0; lane < lanes; lane++) {
    rig.model.addEndpoint(1 + lane, lane, 20);
    rig.model.add(1_000 + lane, 1 + lane, rig.model.now);
    void owner.hold(lane);
  }
  // Each has something under way all the time.
  let event = 2_000;
  const goOn = async (seconds: number) => {
    for (let i = 0; i < seconds * 4; i++) {
      for (let lane = 0; lane < lanes; lane++) rig.model.add(event++, 1 + lane, rig.model.now);
      owner.wake(Array.from({ length: lanes }, (_, lane) => lane));
      await rig.time.pass(250);
    }
  };
  await goOn(5);
  fromStart = 0;
  await goOn(40);
  expect(fromStart).toBeLessThanOrEqual(6);
});
