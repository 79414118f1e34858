import { afterEach, expect, test } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { EPOCH_MS, LaneRig, type RigWorker } from './fixtures/lane-rig.ts';
import { keyOf, type ModelRow, type Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

let rig: LaneRig;
let events = 0;

afterEach(() => {
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

const HOUR_MS = 3_600_000;
/** The time limit of a statement. */
const LIMIT_MS = 10_000;

/** A transaction that stays open: everything that was delivered since then is stepped over by whoever reads there, a part of it for each lane. */
interface Snapshot {
  /** How long it takes to step over all of it until now, in ms, and how long of due times that is. */
  takesMs: number;
  readonly sinceMs: number;
}

/** How long it takes to step over what was delivered of one lane and due from there on. */
function stepMs({ takesMs, sinceMs }: Snapshot, lanes: number, afterMs: number, untilMs = rig.model.now): number {
  const from = Math.max(afterMs, rig.model.now - sinceMs);
  return ((Math.max(0, Math.min(untilMs, rig.model.now) - from) / sinceMs) * takesMs) / lanes;
}

function statementMs(name: string, snapshot: Snapshot, lanes: number): number {
  const { asked, parkedAfter } = rig.model;
  const step = (afterMs: number, untilMs?: number) => stepMs(snapshot, lanes, afterMs, untilMs);
  const sum = (steps: readonly number[]) => steps.reduce((all, each) => all + each, 2);
  if (name.startsWith('fetchDue')) return sum(asked.map(({ after, untilMs }) => step(after.dueAtMs, untilMs)));
  if (name === 'parkEndpoints') return sum([...parkedAfter.values()].map(({ dueAtMs }) => step(dueAtMs)));
  // What is next is behind all that was delivered.
  return name === 'nextDue' ? sum([step(0)]) : 1;
}

function travelOn(snapshot: Snapshot, lanes: number): (time: VirtualTime) => Travel {
  return (time) => async (_owner, name, work) => {
    await time.sleep(1);
    const tookMs = statementMs(name, snapshot, lanes);
    await time.sleep(Math.min(tookMs, LIMIT_MS));
    if (tookMs > LIMIT_MS) throw new Error('canceling statement due to statement timeout');
    return work();
  };
}

function startOn(snapshot: Snapshot, lanes = 1): RigWorker {
  const fate = () => ({ outcome: answered(200), afterMs: 5 });
  rig = new LaneRig({ lanes, maxInFlight: 64, fate, travel: travelOn(snapshot, lanes) });
  rig.time.install();
  for (let lane = 0; lane < lanes; lane++) rig.model.addEndpoint(1 + lane, lane, 10);
  return rig.startWorker();
}

const isGone = (row: ModelRow) => !rig.model.rows.has(keyOf(row));

/** Something new comes in each of these lanes every second. @returns the longest that one waited, in ms; and that the worker stood still */
async function goOn(seconds: number, { owner }: RigWorker, lanes: readonly number[] = [0]): Promise<[number, number]> {
  const open = new Set<ModelRow>();
  let [waitedMs, stalledMs] = [0, 0];
  for (let i = 0; i < seconds; i++) {
    for (const lane of lanes) {
      open.add(rig.model.add(++events, 1 + lane, rig.model.now));
      rig.wake(lane);
    }
    for (let part = 0; part < 4; part++) {
      await rig.time.pass(250);
      for (const row of open) if (isGone(row)) open.delete(row);
      for (const row of open) waitedMs = Math.max(waitedMs, rig.model.now - row.dueAtMs);
      stalledMs = Math.max(stalledMs, owner.stalledMs);
    }
  }
  return [waitedMs, stalledMs];
}

test('where a read from the start runs into the time limit of a statement once, deliveries go on, and what became visible late is found', async () => {
  const snapshot: Snapshot = { takesMs: 0, sinceMs: 2 * HOUR_MS };
  const worker = startOn(snapshot);
  void worker.owner.hold(0);
  await goOn(5, worker);
  snapshot.takesMs = 14_000;
  const [, stalledMs] = await goOn(15, worker);
  expect(stalledMs).toBeLessThan(12_000);
  expect(rig.failures).toHaveLength(1);
  const late = rig.model.add(++events, 1, rig.model.now - HOUR_MS);
  const [waitedMs] = await goOn(200, worker);
  expect(waitedMs).toBeLessThan(1_500);
  expect(isGone(late)).toBe(true);
  expect(rig.failures).toHaveLength(1);
});

test('a worker that comes while reads from the start run into the time limit sends what is new at once, and in minutes what waited before', async () => {
  const worker = startOn({ takesMs: 14_000, sinceMs: 2 * HOUR_MS });
  const before = [60, 5, 0.1].map((minutes) => rig.model.add(++events, 1, EPOCH_MS - minutes * 60_000));
  void worker.owner.hold(0);
  const [, stalledMs] = await goOn(15, worker);
  expect(stalledMs).toBeLessThan(12_000);
  const [waitedMs] = await goOn(70, worker);
  expect(waitedMs).toBeLessThan(1_500);
  expect(before.map(isGone)).toEqual([true, true, true]);
  // Its owner has found what waited: what is new comes from memory again.
  const read = rig.model.fetches.reduce((sum, rows) => sum + rows, 0);
  void rig.commit(worker, ++events, [1], () => {});
  await rig.time.pass(50);
  expect(rig.model.fetches.reduce((sum, rows) => sum + rows, 0)).toBe(read);
});

test('lanes that are taken later hold up nobody, and one with nothing to do is given back when the transaction is over', async () => {
  const snapshot: Snapshot = { takesMs: 14_000, sinceMs: 2 * HOUR_MS };
  const worker = startOn(snapshot, 4);
  void worker.owner.hold(0);
  void worker.owner.hold(1);
  await goOn(15, worker, [0, 1]);
  const before = rig.model.add(++events, 3, rig.model.now - HOUR_MS);
  for (const lane of [2, 3]) void worker.owner.hold(lane);
  const [waitedMs, stalledMs] = await goOn(70, worker, [0, 1, 2]);
  expect(waitedMs).toBeLessThan(1_500);
  expect(stalledMs).toBeLessThan(1_500);
  expect(isGone(before)).toBe(true);
  expect(rig.isFree(3)).toBe(false);
  snapshot.takesMs = 0;
  const areFree = () => [0, 1, 2, 3].every((lane) => rig.isFree(lane));
  expect(await rig.time.pass(200_000, areFree)).toBe(true);
});

test('lanes go over to a worker that comes while reads from the start run into the time limit, and nobody stands still but that one, once', async () => {
  const snapshot: Snapshot = { takesMs: 0, sinceMs: 2 * HOUR_MS };
  const worker = startOn(snapshot, 2);
  const lanes = [0, 1];
  for (const lane of lanes) void worker.owner.hold(lane);
  await goOn(5, worker, lanes);
  snapshot.takesMs = 28_000;
  await goOn(40, worker, lanes);
  const other = rig.startWorker();
  rig.doorbell.answer = (lane) => {
    const { owner } = rig.model.lanes.get(lane)!;
    const isOthers = owner === null ? other.owner.load.lanes < 1 : owner === other.id;
    return (isOthers ? other : worker).owner.hold(lane);
  };
  const [, stalledMs] = await goOn(60, worker, lanes);
  expect(stalledMs).toBeLessThan(1_500);
  expect([worker.owner.load.lanes, other.owner.load.lanes]).toEqual([1, 1]);
  const [waitedMs] = await goOn(30, worker, lanes);
  expect(waitedMs).toBeLessThan(1_500);
  // Each found out for itself.
  expect(new Set(rig.failures)).toEqual(new Set(['lane round: canceling statement due to statement timeout']));
  expect(rig.failures).toHaveLength(2);
});

test('an endpoint that is flooded while reads from the start run into the time limit is delivered to as fast as it takes them', async () => {
  const snapshot: Snapshot = { takesMs: 0, sinceMs: 2 * HOUR_MS };
  const worker = startOn(snapshot);
  void worker.owner.hold(0);
  await goOn(5, worker);
  snapshot.takesMs = 14_000;
  await goOn(15, worker);
  const flooded = 2;
  rig.model.addEndpoint(flooded, 0, 1);
  const comes = () => rig.model.add(++events, flooded, rig.model.now);
  for (let i = 0; i < 1_500; i++) comes();
  const others: number[] = [];
  const later: ModelRow[] = [];
  for (let i = 0; i < 90; i++) {
    later.push(comes());
    others.push((await goOn(1, worker))[0]);
    // What comes waits behind the one look that runs into the limit, and for no pause after it.
    expect(later.filter((row) => !isGone(row) && rig.model.now - row.dueAtMs > 15_000)).toEqual([]);
  }
  expect(Math.max(...others)).toBeLessThan(1_500);
  expect(rig.failures.filter((each) => each.startsWith('parking'))).toHaveLength(1);
});
