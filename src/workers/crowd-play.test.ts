import { afterEach, expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';

const NEIGHBOUR = 100_000;
const fast = { outcome: answered(200), afterMs: 5 };
const slowish = { outcome: answered(200), afterMs: 100 };
const failing = { outcome: answered(500), afterMs: 5 };
const hanging = { outcome: answered(200), afterMs: 15_000 };

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

function openRig(fate: Fate, lanes = 1): void {
  rig = new LaneRig({ lanes, maxInFlight: 256, pauseMs: 100, fate });
  rig.time.install();
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
}

/** So many rows of each of so many endpoints, due one after the other. */
function addCrowd(first: number, endpoints: number, each: number, tenantOf: (num: number) => number, dueMs = EPOCH_MS) {
  const nums = Array.from({ length: endpoints }, (_, i) => first + i);
  for (const num of nums) rig.model.addEndpoint(num, 0, 16).tenantNum = tenantOf(num);
  for (let i = 0; i < each; i++) for (const num of nums) rig.model.add(++events, num, dueMs + i);
}

const sentToNeighbour = () => rig.sent.filter(({ endpointNum }) => endpointNum === NEIGHBOUR).length;

/** How long each of three deliveries to the neighbour waits, in ms. @param lateMs how long its commit takes */
async function waits(lateMs = 0): Promise<number[]> {
  const waited: number[] = [];
  for (let i = 0; i < 3; i++) {
    const from = rig.time.now;
    const before = sentToNeighbour();
    rig.model.add(++events, NEIGHBOUR, rig.model.now - lateMs);
    await rig.time.pass(60_000, () => sentToNeighbour() > before);
    waited.push(rig.time.now - from);
    await rig.time.pass(50);
  }
  return waited;
}

const most = (waited: readonly number[]) => Math.max(...waited);

test.each([
  ['one tenant that fail', 1, failing],
  ['25 tenants that fail', 25, failing],
  ['one tenant that take everything', 1, fast],
])('a backlog of very many endpoints of %s does not hold up whoever has one delivery', async (_what, tenants, fate) => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : fate));
  addCrowd(1, 250, 20, (num) => 3 + (num % tenants));
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  expect(most(await waits())).toBeLessThan(200);
});

test('nor do two such backlogs, one due after the other', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : slowish));
  addCrowd(1, 250, 12, () => 3, EPOCH_MS - 60_000);
  addCrowd(1_001, 250, 12, () => 4, EPOCH_MS - 30_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  expect(most(await waits())).toBeLessThan(300);
});

test.each([400, 900])(
  'nor does one that fills memory and has an answer after %i ms: what becomes due is looked for though no request ends',
  async (afterMs) => {
    openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : { outcome: answered(200), afterMs }));
    addCrowd(1, 250, 20, (num) => 3 + (num % 3), EPOCH_MS - 60_000);
    void rig.startWorker().owner.hold(0);
    await rig.time.pass(250);
    expect(most(await waits())).toBeLessThan(60);
  },
);

test('nor does one in a lane that is taken while another tenant has its share of memory', async () => {
  openRig(({ endpointNum }) => (endpointNum >= 1_000 && endpointNum < 2_000 ? hanging : fast), 2);
  for (let num = 1_000; num < 1_060; num++) {
    rig.model.addEndpoint(num, 1, 16).tenantNum = 5;
    for (let i = 0; i < 10; i++) rig.model.add(++events, num, EPOCH_MS - 60_000);
  }
  addCrowd(1, 250, 20, () => 3, EPOCH_MS - 60_000);
  const { owner } = rig.startWorker();
  void owner.hold(1);
  await rig.time.pass(1_000);
  void owner.hold(0);
  await rig.time.pass(250);
  expect(most(await waits())).toBeLessThan(300);
});

test('nor do they hold up a burst of one tenant, though a read past them brings a part of it', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : slowish));
  addCrowd(1, 250, 40, () => 3, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  for (let i = 0; i < 40; i++) rig.model.add(++events, NEIGHBOUR, rig.model.now);
  expect(await rig.time.pass(500, () => sentToNeighbour() === 40)).toBe(true);
});

test.each([150, 500, 900])('what is committed %i ms late does not wait for the backlog either', async (lateMs) => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : failing));
  addCrowd(1, 250, 20, () => 3, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  expect(most(await waits(lateMs))).toBeLessThan(500);
});

test.each([
  ['fail', failing],
  ['hang', hanging],
])('nor does one of more rows than are looked at at once, whose receivers %s', async (_what, fate) => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 256,
    pauseMs: 100,
    fate: ({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : fate),
  });
  rig.time.install();
  rig.model.maxScannedRows = 2_000;
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  addCrowd(1, 250, 40, () => 3, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  expect(most(await waits())).toBeLessThan(300);
});

test('what is committed seconds late is found, too, though a tenant keeps its share of memory', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : hanging));
  rig.model.maxScannedRows = 300;
  addCrowd(1, 50, 50, () => 3, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(8_000);
  rig.model.add(++events, NEIGHBOUR, rig.model.now - 10_000);
  expect(await rig.time.pass(6_000, () => sentToNeighbour() === 1)).toBe(true);
});

test('a burst of a tenant whose receivers are fast goes out beside a backlog whose receivers hang', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : hanging));
  rig.model.maxScannedRows = 300;
  addCrowd(1, 50, 50, () => 3, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(1_000);
  for (let i = 0; i < 1_000; i++) rig.model.add(++events, NEIGHBOUR, rig.model.now);
  expect(await rig.time.pass(30_000, () => sentToNeighbour() === 1_000)).toBe(true);
});

test('where reads stop early they go on until they come to the end', async () => {
  openRig(() => fast);
  rig.model.maxScannedRows = 8;
  for (let i = 0; i < 400; i++) rig.model.add(++events, NEIGHBOUR, EPOCH_MS - 60_000);
  void rig.startWorker().owner.hold(0);
  expect(await rig.time.pass(5_000, () => sentToNeighbour() === 400)).toBe(true);
});

test('what waits in the midst of such a backlog is found, too', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : hanging));
  rig.model.maxScannedRows = 1_000;
  addCrowd(1, 250, 40, () => 3, EPOCH_MS - 60_000);
  rig.model.add(++events, NEIGHBOUR, EPOCH_MS - 60_000 + 20);
  void rig.startWorker().owner.hold(0);
  expect(await rig.time.pass(3_000, () => sentToNeighbour() === 1)).toBe(true);
});

test('a read past a backlog that Postgres cuts off is told, and its round goes on', async () => {
  openRig(({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : failing));
  addCrowd(1, 250, 20, () => 3);
  const storeOf = rig.model.storeOf.bind(rig.model);
  rig.model.storeOf = (owner, travel) => {
    const store = storeOf(owner, travel);
    const fetchDue: typeof store.fetchDue = async (fetches, over) => {
      if (!over.tenants.includes(3)) return store.fetchDue(fetches, over);
      await rig.time.sleep(10_000);
      throw new Error('canceling statement due to statement timeout');
    };
    return { ...store, fetchDue };
  };
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(250);
  rig.model.add(++events, NEIGHBOUR, rig.model.now);
  expect(await rig.time.pass(90_000, () => sentToNeighbour() === 1)).toBe(true);
  // What is due now, and what waits before that; each again after a while, and then rarely.
  expect(rig.failures.length).toBeLessThanOrEqual(4);
  expect(rig.failures.length).toBeGreaterThan(1);
  for (const failure of rig.failures) expect(failure).toContain('canceling statement due to statement timeout');
});
