import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { answered } from './fixtures/fake-sender.ts';
import { LaneRig } from './fixtures/lane-rig.ts';

const CONNECT_MS = 10_000;
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: CONNECT_MS };
const unconnected: Outcome = { kind: 'unreachable', reason: 'timeout', detail: '', timing };
const untunnelled: Outcome = { kind: 'unreachable', reason: 'network', detail: '', ours: 'proxy', timing };

/** Endpoints of the first tenant, to which connections lead nowhere. */
const DEAD = Array.from({ length: 40 }, (_, i) => i + 1);
/** Of the second and of the third. */
const [QUIET, LATE] = [101, 102];
/** Answers slowly, so that more than a few of its requests are under way at any time. */
const BUSY = 103;

let rig: LaneRig;
let dead: Set<number>;
let slow: Set<number>;
/** To which the egress proxy makes no tunnel. */
let refused: Set<number>;
let events = 0;

beforeEach(() => {
  dead = new Set(DEAD);
  slow = new Set();
  refused = new Set();
  const fate = ({ endpointNum }: { endpointNum: number }) => {
    if (dead.has(endpointNum)) return { outcome: unconnected, afterMs: CONNECT_MS };
    if (refused.has(endpointNum)) return { outcome: untunnelled, afterMs: 5 };
    return { outcome: answered(200), afterMs: slow.has(endpointNum) ? 2_000 : 5 };
  };
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, fate });
  rig.time.install();
  rig.model.schedule = [0, ...Array(30).fill(2_000)];
  for (const num of DEAD) rig.model.addEndpoint(num, 0, 4);
  for (const [i, num] of [QUIET, LATE, BUSY].entries()) rig.model.addEndpoint(num, 0, 16).tenantNum = 2 + i;
  rig.startWorker();
});

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

function store(endpointNum: number, count = 1): void {
  for (let i = 0; i < count; i++) rig.model.add(++events, endpointNum, rig.model.now);
  rig.wake(0);
}

const sentTo = (nums: readonly number[]) => rig.sent.filter(({ endpointNum }) => nums.includes(endpointNum)).length;
const underWay = (nums: readonly number[]) =>
  nums.reduce((sum, num) => sum + (rig.workers[0]!.sender.underWay.get(num) ?? 0), 0);

/** Every endpoint of the first tenant has failed, alone as it is, so that a hold has begun; and each has more to send. */
async function bringAboutHold(): Promise<void> {
  for (const num of DEAD) store(num);
  await rig.time.pass(CONNECT_MS + 500);
  for (const num of DEAD) store(num, 4);
  await rig.time.pass(1_000);
}

test('while connections to one tenant’s endpoints lead nowhere, few of these are tried at once', async () => {
  await bringAboutHold();
  expect(underWay(DEAD)).toBe(8);
});

test('an endpoint that nothing is known of is sent to at once, whatever others are held for (G4)', async () => {
  await bringAboutHold();
  for (const num of [QUIET, LATE]) store(num, 3);
  await rig.time.pass(400);
  expect([sentTo([QUIET]), sentTo([LATE])]).toEqual([3, 3]);
});

test('requests to healthy endpoints use up no tries of held ones', async () => {
  slow.add(BUSY);
  await bringAboutHold();
  store(BUSY, 200);
  await rig.time.pass(CONNECT_MS);
  expect(underWay([BUSY])).toBeGreaterThan(8);
  expect(underWay(DEAD)).toBe(8);
});

test('a tenant whose endpoint has failed likewise is tried although another’s take all the tries (G4)', async () => {
  dead.add(QUIET);
  for (const num of DEAD) store(num);
  store(QUIET);
  await rig.time.pass(CONNECT_MS + 500);
  for (const num of DEAD) store(num, 4);
  await rig.time.pass(1_000);
  dead.delete(QUIET);
  const before = sentTo([QUIET]);
  store(QUIET, 3);
  await rig.time.pass(1_000);
  expect(sentTo([QUIET]) - before).toBeGreaterThanOrEqual(3);
});

test('what the egress proxy fails to do for one endpoint alone is tried ever less often, and takes nothing from its schedule', async () => {
  for (const num of DEAD) dead.delete(num);
  refused.add(LATE);
  store(LATE);
  await rig.time.pass(600_000);
  // At first every 5 to 10 s, which would be 60 to 120 times.
  expect(sentTo([LATE])).toBeGreaterThan(8);
  expect(sentTo([LATE])).toBeLessThan(30);
  expect([...rig.model.rows.values()]).toMatchObject([{ endpointNum: LATE, step: 0 }]);
});

test('all that a worker knows fails: few are tried at once, no breaker opens, and nothing moves on in its schedule', async () => {
  await bringAboutHold();
  const early = rig.sent.length;
  await rig.time.pass(120_000);
  expect(rig.sent.length).toBeGreaterThan(early);
  expect([...rig.model.closedUntil.values()].filter((untilMs) => untilMs > 0)).toEqual([]);
  // Nine failed before there were enough to conclude from.
  const moved = [...rig.model.rows.values()].filter(({ step }) => step > 0);
  expect(moved.length).toBeLessThanOrEqual(9);
});

test('what fails for more than ten minutes counts again, also where Postgres’s clock is set back by an hour meanwhile', async () => {
  const moved = () => [...rig.model.rows.values()].filter(({ step }) => step > 0).length;
  await bringAboutHold();
  rig.clockStepMs = -3_600_000;
  for (const num of DEAD) store(num, 4);
  await rig.time.pass(480_000);
  expect(moved()).toBeLessThanOrEqual(9);
  await rig.time.pass(240_000);
  expect(moved()).toBeGreaterThan(20);
});
