import { afterEach, expect, test } from 'vitest';
import type { ParkedFlood } from '../store/park.ts';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig, type RigOptions } from './fixtures/lane-rig.ts';
import { keyOf, type ModelEndpoint, type ModelRow } from './fixtures/mailbox-model.ts';

const BACKLOG = 600;
const replayed = { isReplay: true };
const retried = { attempt: 1, step: 1 };

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

/** A worker that has begun with the backlog of an endpoint that takes few at once. */
async function begin(
  limits: Partial<ModelEndpoint>,
  backlog: Partial<ModelRow>,
  { afterMs = 5, travel }: { afterMs?: number; travel?: NonNullable<RigOptions['travel']> } = {},
): Promise<void> {
  const fate: Fate = () => ({ outcome: answered(200), afterMs });
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, fate, ...(travel && { travel }) });
  rig.time.install();
  Object.assign(rig.model.addEndpoint(1, 0, 16), limits);
  for (let i = 0; i < BACKLOG; i++) Object.assign(rig.model.add(++events, 1, EPOCH_MS - 1_000), backlog);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(2_000);
}

/** Live deliveries, one after the other. @returns how long each waited, in ms, for a minute at the most; and what was sent besides */
async function sendLive(count: number, everyMs: number): Promise<{ waits: number[]; others: number }> {
  const from = rig.sent.length;
  const added = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    added.set(keyOf(rig.model.add(++events, 1, rig.model.now)), rig.time.now);
    await rig.time.pass(everyMs);
  }
  const sent = rig.sent.slice(from);
  const waits = [...added].map(([key, at]) => (sent.find((each) => each.key === key)?.at ?? at + 60_000) - at);
  return { waits, others: sent.filter(({ key }) => !added.has(key)).length };
}

const byRate = { rateLimit: { perSecond: 5, burst: 5 } };
const byPlaces = { maxInFlight: 2 };

test.each([
  ['a replay', 'a rate limit', replayed, byRate, 5, 400],
  ['a replay', 'two places', replayed, byPlaces, 400, 400],
  ['a backlog of retries', 'a rate limit', retried, byRate, 5, 400],
] as const)(
  '%s for an endpoint of %s does not push out first attempts, which take half of what it may',
  async (...play) => {
    const [, , backlog, limits, afterMs, everyMs] = play;
    await begin(limits, backlog, { afterMs });
    const { waits, others } = await sendLive(40, everyMs);
    expect(Math.max(...waits.slice(0, -3))).toBeLessThan(1_000);
    expect(others).toBeGreaterThan(25);
  },
);

test.each([
  ['a rate limit', byRate, 5, 180],
  ['two places', byPlaces, 400, 180],
] as const)('a replay goes on though first attempts would take all of %s', async (_what, limits, afterMs, everyMs) => {
  await begin(limits, replayed, { afterMs });
  const { others } = await sendLive(200, everyMs);
  // One in twelve of some 180.
  expect(others).toBeGreaterThan(12);
  expect(others).toBeLessThan(40);
});

test('nor do first attempts wait behind a replay that were parked by a statement whose answer was lost', async () => {
  let parkings = 0;
  const travel: RigOptions['travel'] = (time) => async (_owner, name, work) => {
    await time.sleep(2);
    const answer = work();
    if (name === 'parkEndpoints' && (answer as ParkedFlood).parked.length > 0 && ++parkings > 5)
      throw new Error('no answer');
    return answer;
  };
  await begin(byRate, replayed, { travel });
  const { waits } = await sendLive(20, 400);
  // What comes after it is read, and not parked unread.
  expect(rig.failures.length).toBeGreaterThan(0);
  expect(Math.max(...waits.slice(0, -3))).toBeLessThan(1_500);
});

test('both end, and so does the parking of what comes unread', async () => {
  await begin({ rateLimit: { perSecond: 50, burst: 50 } }, replayed);
  await sendLive(20, 40);
  expect(await rig.time.pass(20_000, () => rig.model.rows.size === 0)).toBe(true);
  const { waits } = await sendLive(20, 40);
  expect(Math.max(...waits.slice(0, -1))).toBeLessThan(50);
});

test('while slow receivers have nearly all slots, a replay that may not begin keeps out no live deliveries of another endpoint of its tenant', async () => {
  const fate: Fate = ({ endpointNum }) => ({ outcome: answered(200), afterMs: endpointNum === 2 ? 500 : 15_000 });
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, pauseMs: 100, fate });
  rig.time.install();
  const add = (endpointNum: number, count: number, dueAtMs: number, row: Partial<ModelRow> = {}) => {
    for (let i = 0; i < count; i++) Object.assign(rig.model.add(++events, endpointNum, dueAtMs + i), row);
  };
  for (let num = 100; num < 300; num++) {
    rig.model.addEndpoint(num, 0, 16).tenantNum = num;
    add(num, 5, EPOCH_MS - 60_000, replayed);
  }
  rig.model.addEndpoint(1, 0, 16).tenantNum = 1;
  add(1, 100, EPOCH_MS - 61_000, replayed);
  rig.model.addEndpoint(2, 0, 4).tenantNum = 1;
  add(2, 200, EPOCH_MS - 50_000);
  void rig.startWorker().owner.hold(0);
  const sent = () => rig.sent.filter(({ endpointNum }) => endpointNum === 2).length;
  await rig.time.pass(15_000);
  const before = sent();
  await rig.time.pass(15_000);
  expect(sent() - before).toBeGreaterThan(15);
});
