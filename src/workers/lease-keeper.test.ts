import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AcquiredLane, Heartbeat } from '../store/lanes.ts';
import { VirtualTime } from './fixtures/virtual-time.ts';
import { HeldLanes } from './held-lanes.ts';
import { LeaseKeeper } from './lease-keeper.ts';

const LEASE_MS = 10_000;
const FENCE_AFTER_MS = LEASE_MS - 500;
const NUMBER = 3;

let time: VirtualTime;
/** How long statements take. */
let answerMs: number;
let epoch: number;
/** Whether the table still has the lanes of a heartbeat as theirs who ask. */
let isOurs: boolean;
let lost: number[];
let workers: number;
let shares: number[];
let held: HeldLanes;
let keeper: LeaseKeeper;

beforeEach(() => {
  time = new VirtualTime();
  time.install();
  answerMs = 1;
  epoch = 0;
  isOurs = true;
  lost = [];
  workers = 2;
  shares = [];
  const nothing = () => {};
  held = new HeldLanes({
    acquire: (lanes) => answer(() => lanes.map((lane): AcquiredLane => ({ lane, epoch: ++epoch, crashes: 0 }))),
    sender: { review: async () => {}, isCareful: () => false, forget: nothing },
    desks: { dropLane: nothing, abandonLane: nothing, forgetLane: nothing },
    share: 8,
    ringIn: nothing,
    onTaken: nothing,
    onLeaseLost: (lane) => lost.push(lane),
    requestRound: nothing,
  });
  keeper = new LeaseKeeper({
    store: {
      heartbeat: (leases) =>
        answer((): Heartbeat => {
          const ours = new Set(isOurs ? leases.map(({ lane }) => lane) : []);
          return { held: ours, crashed: new Set(), workers };
        }),
    },
    held,
    lanes: 8,
    leaseMs: LEASE_MS,
    onShare: (share) => shares.push(share),
    onFailure: (_what, error) => expect.fail(String(error)),
  });
});

afterEach(() => time.restore());

/** It is what the statement saw when it came. */
async function answer<T>(work: () => T): Promise<T> {
  const seen = work();
  await time.sleep(answerMs);
  return seen;
}

async function take(): Promise<void> {
  void held.hold(NUMBER);
  void held.acquire();
  await time.pass(answerMs);
}

/** At the end of it the lane has just not been lost yet. */
async function keptFor(ms: number): Promise<void> {
  await time.pass(ms);
  keeper.fence(performance.now());
  expect(lost).toEqual([]);
  await time.pass(1);
  keeper.fence(performance.now());
  expect(lost).toEqual([NUMBER]);
}

test('an answer that comes behind that to a later question takes nothing back', async () => {
  await take();
  answerMs = 5_000;
  workers = 4;
  void keeper.beat();
  await time.pass(1_000);
  answerMs = 1;
  workers = 2;
  void keeper.beat();
  await time.pass(4_100);
  expect(shares).toEqual([4]);
  // Of the beat that was asked for a second after the lane was taken.
  await keptFor(FENCE_AFTER_MS - 4_100);
});

test('a lease lasts from when it was asked to be renewed, however late the answer comes', async () => {
  await take();
  answerMs = 3_000;
  void keeper.beat();
  await time.pass(3_000);
  await keptFor(FENCE_AFTER_MS - 3_000);
});

test('a lease lasts from when it was asked for, however late the lane comes', async () => {
  // There are others.
  void keeper.beat();
  await time.pass(10);
  answerMs = 3_000;
  await take();
  await keptFor(FENCE_AFTER_MS - 3_000);
});

test('a heartbeat for a lease that ended meanwhile says nothing of the lane that was taken anew', async () => {
  await take();
  isOurs = false;
  answerMs = 2_000;
  void keeper.beat();
  await time.pass(1_000);
  held.forget(held.byNumber.get(NUMBER)!);
  answerMs = 1;
  await take();
  await time.pass(2_000);
  expect(held.byNumber.get(NUMBER)?.lease.epoch).toBe(2);
  expect(lost).toEqual([]);
});
