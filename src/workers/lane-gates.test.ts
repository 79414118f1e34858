import { afterEach, beforeEach, expect, test } from 'vitest';
import { CAREFUL_FROM, TRIALS_PER_LANE } from '../domain/suspicion.ts';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig, type RigWorker } from './fixtures/lane-rig.ts';
import { keyOf } from './fixtures/mailbox-model.ts';

let rig: LaneRig;
let fate: Fate;
let events = 0;

beforeEach(() => {
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig = new LaneRig({ lanes: 1, maxInFlight: 64, fate: (sent) => fate(sent) });
  rig.time.install();
  rig.model.schedule = [0, ...Array(30).fill(2_000)];
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

function store(endpointNum: number, count = 1): void {
  for (let i = 0; i < count; i++) rig.model.add(++events, endpointNum, EPOCH_MS + rig.time.now);
  rig.wake(0);
}

async function stop(worker: RigWorker): Promise<void> {
  let isStopped = false;
  void rig.stopWorker(worker, 1_000).then(() => {
    isStopped = true;
  });
  expect(await rig.time.pass(3_000, () => isStopped)).toBe(true);
}

const sentTo = (endpointNum: number) => rig.sent.filter((sent) => sent.endpointNum === endpointNum);

test('an endpoint that fails is left alone for half a minute, and its attempts are not used up meanwhile', async () => {
  rig.model.addEndpoint(1, 0, 1);
  rig.startWorker();
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 40);
  await rig.time.pass(25_000);
  expect(sentTo(1)).toHaveLength(10);
  expect([...rig.model.rows.values()].filter((row) => row.attempt === 0)).toHaveLength(30);
});

test('when the time is over a single probe goes, and a success lets the backlog follow', async () => {
  rig.model.addEndpoint(1, 0, 4);
  rig.startWorker();
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 40);
  await rig.time.pass(20_000);
  const before = rig.sent.length;
  let most = 0;
  fate = () => ({ outcome: answered(200), afterMs: 200 });
  for (const { sender } of rig.workers) {
    const { onSend } = sender;
    sender.onSend = (sent) => {
      if (rig.sent.length <= before) expect(sender.underWay.get(1)).toBe(1);
      most = Math.max(most, sender.underWay.get(1)!);
      onSend(sent);
    };
  }
  expect(await rig.time.pass(40_000, () => rig.model.rows.size === 0)).toBe(true);
  expect(most).toBe(4);
});

test('a breaker opened by one worker is open for the next, and the lane is woken for the probe though nothing else is there', async () => {
  rig.model.addEndpoint(1, 0, 1);
  const first = rig.startWorker();
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 30);
  await rig.time.pass(2_000);
  await stop(first);
  expect(rig.sent).toHaveLength(10);
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(20_000);
  expect(rig.sent).toHaveLength(10);
  expect(rig.isFree(0)).toBe(true);
  expect(await rig.time.pass(30_000, () => rig.model.rows.size === 0)).toBe(true);
});

test('an endpoint that gets few deliveries is back at its cap a minute after the probe', async () => {
  rig.model.addEndpoint(1, 0, 8);
  rig.startWorker();
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 10);
  await rig.time.pass(5_000);
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig.model.rows.clear();
  store(1);
  expect(await rig.time.pass(40_000, () => rig.model.rows.size === 0)).toBe(true);
  await rig.time.pass(60_000);
  fate = () => ({ outcome: answered(200), afterMs: 3_000 });
  store(1, 8);
  await rig.time.pass(2_000);
  expect(rig.workers[0]!.sender.underWay.get(1)).toBe(8);
  expect(rig.model.closedUntil.get(1)).toBe(0);
});

test('a breaker that is reset by hand lets everything through within a second or so', async () => {
  rig.model.addEndpoint(1, 0, 1);
  rig.startWorker();
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 30);
  await rig.time.pass(5_000);
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig.model.resetGate(1);
  rig.wake(0);
  expect(await rig.time.pass(5_000, () => rig.model.rows.size === 0)).toBe(true);
});

test('in no window does a rate-limited endpoint get more than burst and rate, and over all it gets what the rate allows', async () => {
  rig.model.addEndpoint(1, 0, 8).rateLimit = { perSecond: 50, burst: 10 };
  const first = rig.startWorker();
  store(1, 2_000);
  await rig.time.pass(4_000);
  // Another worker goes on with the tokens that this one left.
  await stop(first);
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(16_000);
  const at = sentTo(1).map((sent) => sent.at);
  for (let from = 0; from < at.length; from++) {
    for (let to = from; to < at.length; to++) {
      const most = 10 + (50 * (at[to]! - at[from]! + 1)) / 1000;
      if (to - from + 1 > most + 0.01) expect.fail(`${to - from + 1} in ${at[to]! - at[from]!} ms`);
    }
  }
  expect(at.length).toBeGreaterThan(0.95 * 50 * 20);
});

test('a worker that stops leaves what its gates learnt last: the next one has no second burst to give', async () => {
  rig.model.addEndpoint(1, 0, 8).rateLimit = { perSecond: 0.05, burst: 3 };
  const first = rig.startWorker();
  store(1, 10);
  // Less than the second after which gates are saved by habit.
  await rig.time.pass(300);
  expect(sentTo(1)).toHaveLength(3);
  await stop(first);
  rig.startWorker();
  rig.wake(0);
  await rig.time.pass(5_000);
  expect(sentTo(1)).toHaveLength(3);
});

test.each([
  ['at once', 300],
  ['later', 5_000],
])(
  'a reset by hand mints no tokens, %s after they were taken, nor for the next owner of the lane',
  async (_, afterMs) => {
    rig.model.addEndpoint(1, 0, 8).rateLimit = { perSecond: 0.05, burst: 3 };
    const first = rig.startWorker();
    store(1, 10);
    await rig.time.pass(afterMs);
    rig.model.resetGate(1);
    rig.wake(0);
    await rig.time.pass(3_000);
    expect(sentTo(1)).toHaveLength(3);
    await stop(first);
    rig.startWorker();
    rig.wake(0);
    await rig.time.pass(3_000);
    expect(sentTo(1)).toHaveLength(3);
  },
);

test('a rate of one in ten seconds is kept, though the endpoint is forgotten in between', async () => {
  rig.model.addEndpoint(1, 0, 8).rateLimit = { perSecond: 0.05, burst: 1 };
  rig.startWorker();
  store(1, 1);
  await rig.time.pass(15_000);
  expect(rig.isFree(0)).toBe(true);
  store(1, 1);
  await rig.time.pass(4_000);
  expect(sentTo(1)).toHaveLength(1);
  expect(await rig.time.pass(3_000, () => sentTo(1).length === 2)).toBe(true);
});

test('a rate limit that is raised or taken away holds within a second or so, also for what waits for the old one', async () => {
  const endpoint = rig.model.addEndpoint(1, 0, 8);
  endpoint.rateLimit = { perSecond: 0.01, burst: 1 };
  rig.startWorker();
  store(1, 20);
  await rig.time.pass(3_000);
  expect(sentTo(1)).toHaveLength(1);
  endpoint.rateLimit = { perSecond: 5, burst: 1 };
  endpoint.version++;
  expect(await rig.time.pass(2_000, () => sentTo(1).length >= 3)).toBe(true);
  endpoint.rateLimit = null;
  endpoint.version++;
  expect(await rig.time.pass(2_000, () => rig.model.rows.size === 0)).toBe(true);
});

test('endpoints that are closed do not hold up the others of their lane', async () => {
  rig.model.addEndpoint(1, 0, 4);
  rig.model.addEndpoint(2, 0, 4);
  rig.startWorker();
  fate = ({ endpointNum }) => ({ outcome: answered(endpointNum === 1 ? 500 : 200), afterMs: 5 });
  store(1, 500);
  await rig.time.pass(3_000);
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    const at = rig.time.now;
    const before = sentTo(2).length;
    store(2);
    await rig.time.pass(1_000, () => sentTo(2).length > before);
    waits.push(rig.time.now - at);
    await rig.time.pass(37);
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(20);
});

test('in a lane whose owners kept dying nothing goes to an endpoint that was switched off while its deliveries waited for their trial', async () => {
  const endpoint = rig.model.addEndpoint(1, 0, 16);
  rig.model.lanes.get(0)!.crashes = CAREFUL_FROM;
  fate = () => ({ outcome: answered(200), afterMs: 60_000 });
  rig.startWorker();
  store(1, 12);
  await rig.time.pass(1_000);
  expect(sentTo(1)).toHaveLength(TRIALS_PER_LANE);
  endpoint.enabled = false;
  endpoint.version++;
  await rig.time.pass(10_000);
  expect(sentTo(1)).toHaveLength(TRIALS_PER_LANE);
  expect(rig.model.rows.size).toBe(12);
});

test('what waits for its trial when its lane is trusted again is looked for before it is sent: it may have been cancelled', async () => {
  rig.model.addEndpoint(1, 0, 32);
  rig.model.lanes.get(0)!.crashes = CAREFUL_FROM;
  rig.startWorker();
  store(1);
  await rig.time.pass(1_000, () => rig.sent.length === 1);
  fate = () => ({ outcome: answered(200), afterMs: 60_000 });
  store(1, 16);
  // Two rounds of trials have begun, and the lane is about to be trusted.
  await rig.time.pass(3_700);
  expect(sentTo(1)).toHaveLength(1 + 2 * TRIALS_PER_LANE);
  const sent = new Set(sentTo(1).map(({ key }) => key));
  for (const row of [...rig.model.rows.values()]) if (!sent.has(keyOf(row))) rig.model.cancel(row);
  expect(await rig.time.pass(2_000, () => rig.model.lanes.get(0)!.crashes === 0)).toBe(true);
  await rig.time.pass(1_000);
  expect(sentTo(1)).toHaveLength(1 + 2 * TRIALS_PER_LANE);
});

test('what a tenant is told of its endpoints has rising numbers, also of one that was forgotten meanwhile, and keeps them when it is saved once more', async () => {
  const told: number[][] = [];
  let lost = 1;
  const storeOf = rig.model.storeOf.bind(rig.model);
  rig.model.storeOf = (owner, ways) => {
    const ours = storeOf(owner, ways);
    const saveEndpointStates: typeof ours.saveEndpointStates = async (leases, states) => {
      await ours.saveEndpointStates(leases, states);
      const numbers = states.flatMap(({ notices }) => notices.map(({ number }) => number));
      if (numbers.length > 0) told.push(numbers);
      if (numbers.length > 0 && lost-- > 0) throw new Error('connection lost');
    };
    return { ...ours, saveEndpointStates };
  };
  rig.model.addEndpoint(1, 0, 4);
  // It keeps the lane awake, and with it the lease.
  rig.model.addEndpoint(2, 0, 1);
  fate = ({ endpointNum }) =>
    endpointNum === 2 ? { outcome: answered(200), afterMs: 600_000 } : { outcome: answered(500), afterMs: 5 };
  rig.startWorker();
  store(2);
  store(1, 10);
  expect(await rig.time.pass(5_000, () => told.length === 2)).toBe(true);
  // All is forgotten of an endpoint that is well and has nothing to send.
  fate = () => ({ outcome: answered(200), afterMs: 5 });
  expect(await rig.time.pass(120_000, () => rig.model.rows.size === 1)).toBe(true);
  await rig.time.pass(120_000);
  fate = () => ({ outcome: answered(500), afterMs: 5 });
  store(1, 10);
  expect(await rig.time.pass(5_000, () => told.length > 3)).toBe(true);
  expect(told.slice(0, 2)).toEqual([[1], [1]]);
  expect(told.slice(1).flat()).toEqual(told.slice(1).map((_, i) => i + 1));
});
