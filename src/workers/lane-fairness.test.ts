import { afterEach, expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig } from './fixtures/lane-rig.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';
import type { LaneOwner } from './lane-owner.ts';

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

const NEIGHBOUR = 1_000;
const RETRY = { attempt: 1, step: 1 };

test.each([
  ['one endpoint that takes 1,000 at once', 1_024, 1, 1_000, 6_000],
  ['five endpoints', 64, 5, 16, 20],
  ['a hundred endpoints', 64, 100, 16, 10],
])('a tenant whose receivers are slow does not hold up another one: %s', async (_what, slots, endpoints, cap, each) => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: slots,
    fate: ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === NEIGHBOUR ? 5 : 15_000 }),
  });
  rig.time.install();
  for (let num = 1; num <= endpoints; num++) rig.model.addEndpoint(num, 0, cap);
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  for (let i = 0; i < each; i++) for (let num = 1; num <= endpoints; num++) rig.model.add(++events, num, EPOCH_MS);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(1_000);
  for (let i = 0; i < 5; i++) {
    const from = rig.time.now;
    rig.model.add(++events, NEIGHBOUR, EPOCH_MS + from);
    const isSent = () => rig.sent.filter(({ endpointNum }) => endpointNum === NEIGHBOUR).length > i;
    expect(await rig.time.pass(2_000, isSent)).toBe(true);
    await rig.time.pass(500);
  }
});

const hanging = { outcome: answered(200), afterMs: 10_000 };
const fast = { outcome: answered(200), afterMs: 5 };
const failing = { outcome: answered(500), afterMs: 5 };

test.each([
  ['first attempts', { tenants: 20, kinds: [hanging], isRetry: false }],
  ['retries', { tenants: 20, kinds: [hanging], isRetry: true }],
  ['two tenants’, of many endpoints', { tenants: 2, kinds: [hanging], isRetry: false }],
  ['beside others that fail, and rate limits', { tenants: 50, kinds: [failing, hanging, fast], isRetry: false }],
] as const)('slow receivers of very many tenants do not hold up another one: %s', async (_what, those) => {
  const { tenants, kinds, isRetry } = those;
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 256,
    fate: ({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : kinds[endpointNum % kinds.length]!),
  });
  rig.time.install();
  const endpoints = 300;
  for (let num = 1; num <= endpoints; num++) {
    const endpoint = rig.model.addEndpoint(num, 0, 16);
    endpoint.tenantNum = 3 + (num % tenants);
    if (kinds[num % kinds.length] === fast) endpoint.rateLimit = { perSecond: 0.1, burst: 1 };
  }
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  const add = (num: number) => Object.assign(rig.model.add(++events, num, rig.model.now), isRetry && RETRY);
  for (let i = 0; i < 8; i++) for (let num = 1; num <= endpoints; num++) add(num);
  void rig.startWorker().owner.hold(0);
  // Those that came first, to an empty worker, have had their answers then.
  await rig.time.pass(12_000);
  const waits: number[] = [];
  for (let i = 0; i < 15; i++) {
    const from = rig.time.now;
    add(NEIGHBOUR);
    // New ones come for the others, too.
    for (let num = 1; num <= endpoints; num += 10) add(num);
    const isSent = () => rig.sent.filter(({ endpointNum }) => endpointNum === NEIGHBOUR).length > i;
    expect(await rig.time.pass(1_000, isSent)).toBe(true);
    waits.push(rig.time.now - from);
    await rig.time.pass(300);
  }
  expect(waits.sort((a, b) => a - b)[7]).toBeLessThan(100);
});

/** Endpoints of so many tenants whose receivers hang, each with a few deliveries, in lane 0 of a worker that holds it. */
function hang(maxInFlight: number, lanes: number, endpoints: number, tenants: number, each: number): LaneOwner {
  const fate: Fate = ({ endpointNum }) => (endpointNum >= NEIGHBOUR ? fast : hanging);
  rig = new LaneRig({ lanes, maxInFlight, fate });
  rig.time.install();
  for (let num = 1; num <= endpoints; num++) rig.model.addEndpoint(num, 0, 16).tenantNum = 3 + (num % tenants);
  for (let i = 0; i < each; i++) for (let num = 1; num <= endpoints; num++) rig.model.add(++events, num, EPOCH_MS);
  const { owner } = rig.startWorker();
  void owner.hold(0);
  return owner;
}

const sentFrom = (num: number) => rig.sent.filter(({ endpointNum }) => endpointNum >= num).length;

test('beside slow receivers of many tenants the backlog of a fast one goes on as fast as it has slots', async () => {
  hang(256, 1, 150, 20, 8);
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  await rig.time.pass(12_000);
  for (let i = 0; i < 400; i++) rig.model.add(++events, NEIGHBOUR, rig.model.now);
  await rig.time.pass(3_000);
  expect(sentFrom(NEIGHBOUR)).toBeGreaterThan(200);
});

test('a tenant that has one request to a slow receiver under way goes on with its fast one', async () => {
  hang(256, 1, 150, 20, 8);
  const own = rig.model.addEndpoint(NEIGHBOUR - 1, 0, 1);
  const other = rig.model.addEndpoint(NEIGHBOUR, 0, 16);
  own.tenantNum = 2;
  other.tenantNum = 2;
  await rig.time.pass(12_000);
  for (let i = 0; i < 3; i++) rig.model.add(++events, own.num, rig.model.now);
  await rig.time.pass(500);
  for (let i = 1; i <= 10; i++) {
    rig.model.add(++events, NEIGHBOUR, rig.model.now);
    expect(await rig.time.pass(500, () => sentFrom(NEIGHBOUR) >= i)).toBe(true);
  }
});

test('a lane is not given back with deliveries of an endpoint that nobody here knew and whose tenant had no slot', async () => {
  const owner = hang(64, 2, 100, 3, 2);
  for (let k = 0; k < 4; k++) rig.model.addEndpoint(NEIGHBOUR + k, 1, 16).tenantNum = 3;
  await rig.time.pass(4_000);
  for (let k = 0; k < 4; k++) rig.model.add(++events, NEIGHBOUR + k, rig.model.now);
  void owner.hold(1);
  expect(await rig.time.pass(35_000, () => sentFrom(NEIGHBOUR) === 4)).toBe(true);
});

test('endpoints whose rates have them wait do not hold up another one, however many tenants they are of', async () => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(200), afterMs: 5 }) });
  rig.time.install();
  const endpoints = 200;
  for (let num = 1; num <= endpoints; num++) {
    const endpoint = rig.model.addEndpoint(num, 0, 16);
    endpoint.tenantNum = 3 + (num % 50);
    endpoint.rateLimit = { perSecond: 0.02, burst: 1 };
  }
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  for (let num = 1; num <= endpoints; num++) for (let i = 0; i < 15; i++) rig.model.add(++events, num, EPOCH_MS);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(30_000);
  for (let i = 0; i < 5; i++) {
    rig.model.add(++events, NEIGHBOUR, EPOCH_MS + rig.time.now);
    const isSent = () => rig.sent.filter(({ endpointNum }) => endpointNum === NEIGHBOUR).length > i;
    expect(await rig.time.pass(1_000, isSent)).toBe(true);
    await rig.time.pass(500);
  }
});

test('what others are to be sent does not wait for the statement that parks a flood', async () => {
  let parking = 0;
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 64,
    fate: ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === NEIGHBOUR ? 5 : 15_000 }),
    travel: (time) => async (_owner, name, work) => {
      await time.sleep(1);
      const answer = work();
      if (name !== 'parkEndpoints') return answer;
      parking++;
      await time.sleep(5_000);
      parking--;
      return answer;
    },
  });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 16);
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  for (let i = 0; i < 2_000; i++) rig.model.add(++events, 1, EPOCH_MS);
  void rig.startWorker().owner.hold(0);
  expect(await rig.time.pass(2_000, () => parking === 1)).toBe(true);
  rig.model.add(++events, NEIGHBOUR, EPOCH_MS + rig.time.now);
  const isSent = () => rig.sent.some(({ endpointNum }) => endpointNum === NEIGHBOUR);
  expect(await rig.time.pass(500, isSent)).toBe(true);
  expect(parking).toBe(1);
});

const slowStatements =
  (ms: number) =>
  (time: VirtualTime) =>
  async (_owner: string, _name: string, work: () => unknown): Promise<unknown> => {
    await time.sleep(ms);
    const answer = work();
    await time.sleep(ms);
    return answer;
  };

test.each([10, 60, 200])('deliveries go on where each statement takes twice %i ms', async (ms) => {
  rig = new LaneRig({
    lanes: 1,
    maxInFlight: 8,
    fate: () => ({ outcome: answered(200), afterMs: 300 }),
    travel: slowStatements(ms),
  });
  rig.time.install();
  rig.model.addEndpoint(1, 0, 2);
  const { owner } = rig.startWorker();
  for (let i = 0; i < 8; i++) rig.model.add(++events, 1, EPOCH_MS);
  void owner.hold(0);
  expect(await rig.time.pass(20_000, () => rig.model.rows.size === 0)).toBe(true);
});

test('of many endpoints with a backlog none waits until the others have done with theirs', async () => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: () => ({ outcome: answered(200), afterMs: 5 }) });
  rig.time.install();
  for (let num = 1; num <= 150; num++) rig.model.addEndpoint(num, 0, 2);
  for (let i = 0; i < 100; i++)
    for (let num = 1; num <= 150; num++) rig.model.add(++events, num, EPOCH_MS).parked = true;
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(60_000, () => new Set(rig.sent.map(({ endpointNum }) => endpointNum)).size === 150);
  expect(new Set(rig.sent.map(({ endpointNum }) => endpointNum)).size).toBe(150);
  expect(rig.sent.length).toBeLessThan(0.3 * 15_000);
});

/** Bytes of a body of the model. */
const BODY_BYTES = 36;

/**
 * Tenants of ten endpoints each whose receivers hang, before a worker that has slots for all of that, and memory for few of their bodies;
 * and a neighbour with bodies as large.
 * @param bodies how many fit
 */
function hangWithLargeBodies(bodies: number, tenants: number, each: number): LaneOwner {
  const fate: Fate = ({ endpointNum }) => (endpointNum === NEIGHBOUR ? fast : hanging);
  rig = new LaneRig({ lanes: 1, maxInFlight: 1_024, maxBytes: bodies * BODY_BYTES, fate });
  rig.time.install();
  for (let num = 1; num <= 10 * tenants; num++) rig.model.addEndpoint(num, 0, 16).tenantNum = 3 + Math.ceil(num / 10);
  rig.model.addEndpoint(NEIGHBOUR, 0, 16).tenantNum = 2;
  // One tenant after the other, so that each takes its share of what those before it have left.
  for (let num = 1; num <= 10 * tenants; num++) for (let i = 0; i < each; i++) rig.model.add(++events, num, EPOCH_MS);
  const { owner } = rig.startWorker();
  void owner.hold(0);
  return owner;
}

/** @returns how long each of so many deliveries to the neighbour takes, in ms */
async function waitsOfNeighbour(times: number): Promise<readonly number[]> {
  const waits: number[] = [];
  for (let i = 0; i < times; i++) {
    const from = rig.time.now;
    rig.model.add(++events, NEIGHBOUR, rig.model.now);
    const before = sentFrom(NEIGHBOUR);
    await rig.time.pass(30_000, () => sentFrom(NEIGHBOUR) > before);
    waits.push(rig.time.now - from);
    await rig.time.pass(777);
  }
  return waits;
}

test.each([
  ['four', 64, 4, 8],
  ['eight', 128, 8, 12],
  ['three, where few bodies fit', 32, 3, 8],
])(
  'large events of a few tenants to slow receivers do not fill memory for the others: of %s',
  async (_what, ...those) => {
    hangWithLargeBodies(...those);
    await rig.time.pass(1_000);
    for (const wait of await waitsOfNeighbour(6)) expect(wait).toBeLessThan(200);
  },
);

test.each([
  ['of twenty', 64, 20, 6],
  ['of four, where as few bodies fit as may', 8, 4, 8],
])(
  'large events to slow receivers of more tenants than memory has room for hold up another one for no more than twice what they take after they come to an empty worker: %s',
  async (_what, ...those) => {
    hangWithLargeBodies(...those);
    await rig.time.pass(25_000);
    for (const wait of await waitsOfNeighbour(6)) expect(wait).toBeLessThan(200);
  },
);

test('beside large events to slow receivers of many tenants the backlog of a fast one goes on, and memory stays within its bound', async () => {
  const owner = hangWithLargeBodies(128, 8, 12);
  await rig.time.pass(12_000);
  for (let i = 0; i < 400; i++) rig.model.add(++events, NEIGHBOUR, rig.model.now);
  let most = 0;
  await rig.time.pass(3_000, () => {
    most = Math.max(most, owner.load.bytes);
    return false;
  });
  expect(sentFrom(NEIGHBOUR)).toBeGreaterThan(200);
  expect(most).toBeLessThanOrEqual(129 * BODY_BYTES);
});
