import { afterEach, expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig, type RigOptions } from './fixtures/lane-rig.ts';
import type { Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

const slow: Fate = () => ({ outcome: answered(200), afterMs: 110_000 });
const fast: Fate = () => ({ outcome: answered(200), afterMs: 5 });

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

function stage(options: Partial<RigOptions> & Pick<RigOptions, 'fate'>): void {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, ...options });
  rig.time.install();
}

function slowToReadParked(time: VirtualTime): Travel {
  return async (_owner, name, work) => {
    await time.sleep(name === 'fetchParked' ? 1_000 : 1);
    return work();
  };
}

function addRows(endpointNum: number, count: number): void {
  for (let i = 0; i < count; i++) rig.model.add(++events, endpointNum, EPOCH_MS + rig.time.now);
}

function start() {
  const { owner } = rig.startWorker();
  void owner.hold(0);
  return owner;
}

/** The longest that the worker said it was late within this time, asked often. */
async function latest(owner: ReturnType<typeof start>, ms: number): Promise<number> {
  let most = 0;
  await rig.time.pass(ms, () => {
    most = Math.max(most, owner.lateMs);
    return false;
  });
  return most;
}

/** The age of the row that has been due longest and is not parked, in ms. */
const dueAgeMs = () =>
  Math.max(...[...rig.model.rows.values()].filter((row) => !row.parked).map(({ dueAtMs }) => rig.model.now - dueAtMs));

test('what waits for the rate limit of its endpoint is not late', async () => {
  stage({ fate: fast, maxInFlight: 512 });
  rig.model.addEndpoint(1, 0, 4).rateLimit = { perSecond: 1, burst: 1 };
  addRows(1, 150);
  const owner = start();
  expect(await latest(owner, 100_000)).toBeLessThan(2_500);
  expect(dueAgeMs()).toBeGreaterThan(90_000);
  expect(rig.sent.length).toBeGreaterThan(90);
});

test('what waits for a receiver that takes its time, or is under way to it, is not late', async () => {
  stage({ fate: slow });
  rig.model.addEndpoint(1, 0, 1);
  addRows(1, 5);
  const owner = start();
  expect(await latest(owner, 100_000)).toBeLessThan(2_500);
  expect(dueAgeMs()).toBeGreaterThan(90_000);
});

test('a tenant that has its share of slots, with slow receivers, makes no worker late', async () => {
  stage({ fate: slow });
  for (let num = 1; num <= 12; num++) {
    rig.model.addEndpoint(num, 0, 16).tenantNum = 1;
    addRows(num, 16);
  }
  const owner = start();
  expect(await latest(owner, 100_000)).toBeLessThan(2_500);
  expect(rig.sent.length).toBeLessThan(64);
});

test('a backlog of one tenant that is worked off is not late', async () => {
  stage({ fate: () => ({ outcome: answered(200), afterMs: 20 }), maxInFlight: 16 });
  rig.model.addEndpoint(1, 0, 4);
  addRows(1, 2_000);
  const owner = start();
  expect(await latest(owner, 8_000)).toBeLessThan(2_500);
  expect(rig.model.rows.size).toBeGreaterThan(100);
});

test.each([
  ['send', { fate: () => ({ outcome: answered(200), afterMs: 50 }), maxInFlight: 16 }],
  ['read', { fate: fast, travel: slowToReadParked }],
] as const)(
  'a worker to which more of many tenants is due than it can %s is late until it has caught up',
  async (_, options) => {
    stage(options);
    for (let num = 1; num <= 20; num++) {
      rig.model.addEndpoint(num, 0, 16).tenantNum = num;
      addRows(num, 200);
    }
    const owner = start();
    expect(await latest(owner, 10_000)).toBeGreaterThan(6_000);
    expect(await rig.time.pass(200_000, () => rig.model.rows.size === 0)).toBe(true);
    await rig.time.pass(1_500);
    expect(owner.lateMs).toBeLessThan(2_500);
  },
);

test('where slow receivers of many tenants have all slots, the worker is late', async () => {
  stage({ fate: () => ({ outcome: answered(200), afterMs: 15_000 }) });
  for (let num = 1; num <= 60; num++) {
    rig.model.addEndpoint(num, 0, 16).tenantNum = num;
    addRows(num, 40);
  }
  const owner = start();
  await rig.time.pass(60_000);
  expect(owner.lateMs).toBeGreaterThan(30_000);
});

test('a lane whose reads do not come back is late', async () => {
  let hangs = false;
  stage({
    fate: fast,
    travel: (time) => async (_owner, name, work) => {
      await time.sleep(1);
      if (hangs && name === 'fetchDue') return new Promise<never>(() => {});
      return work();
    },
  });
  rig.model.addEndpoint(1, 0, 4).rateLimit = { perSecond: 1, burst: 1 };
  addRows(1, 100);
  const owner = start();
  await rig.time.pass(5_000);
  expect(owner.lateMs).toBeLessThan(2_500);
  hangs = true;
  await rig.time.pass(40_000);
  expect(owner.lateMs).toBeGreaterThan(35_000);
});

test('a lane that waits for its last request before it is given back is not late but told apart, and one that waits for ever is late', async () => {
  stage({ fate: () => ({ outcome: answered(200), afterMs: 600_000 }), lanes: 2 });
  for (const num of [1, 2]) rig.model.addEndpoint(num, num - 1, 1);
  for (const num of [1, 2]) addRows(num, 1);
  const owner = start();
  void owner.hold(1);
  await rig.time.pass(1_000);
  expect(owner.drainingMs).toBe(0);
  rig.startWorker();
  expect(await latest(owner, 110_000)).toBeLessThan(2_500);
  expect(owner.drainingMs).toBeGreaterThan(100_000);
  await rig.time.pass(80_000);
  expect(owner.lateMs).toBeGreaterThan(30_000);
});

test('a lane that has been given back is not being drained', async () => {
  stage({ fate: () => ({ outcome: answered(200), afterMs: 20_000 }), lanes: 2 });
  for (const num of [1, 2]) rig.model.addEndpoint(num, num - 1, 1);
  for (const num of [1, 2]) addRows(num, 1);
  const owner = start();
  void owner.hold(1);
  await rig.time.pass(1_000);
  rig.startWorker();
  await rig.time.pass(10_000);
  expect(owner.drainingMs).toBeGreaterThan(5_000);
  await rig.time.pass(20_000);
  expect(owner.drainingMs).toBe(0);
});
