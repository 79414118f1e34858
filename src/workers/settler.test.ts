import { afterEach, beforeEach, expect, test } from 'vitest';
import { uuidFloor } from '../domain/ids.ts';
import type { LaneLease } from '../store/lanes.ts';
import type { SettledAttempt } from '../store/settle.ts';
import { answered } from './fixtures/fake-sender.ts';
import { VirtualTime } from './fixtures/virtual-time.ts';
import { Settler } from './settler.ts';

const DAY_MS = 86_400_000;
const NOW = 20_000.5 * DAY_MS;
let time: VirtualTime;
let settled: Map<number, boolean>;
/** Those whose key waits for a person, or of which only the table knows. */
let pausing: number[];
let givenUp: number[];
let left: number[][];
let failures: number[];
let leases: Map<number, LaneLease>;

beforeEach(() => {
  time = new VirtualTime();
  time.install();
  settled = new Map();
  pausing = [];
  failures = [];
  givenUp = [];
  left = [];
  leases = new Map([[0, { lane: 0, epoch: 1 }]]);
});

afterEach(() => time.restore());

function attempt(endpointNum: number, lane = 0, bytes = 0, day = 20_000): SettledAttempt {
  const outcome = answered(200);
  if (outcome.kind === 'delivered') Object.assign(outcome.response, { body: new Uint8Array(bytes) });
  return {
    eventUuid: uuidFloor(day * DAY_MS),
    endpointNum,
    tenantNum: 1,
    lane,
    attempt: 1,
    isReplay: false,
    startedAtMs: 0,
    outcome,
    decision: { kind: 'done' },
    notice: null,
    mayPauseKey: false,
  };
}

type Write = (leases: readonly LaneLease[], attempts: readonly SettledAttempt[]) => Promise<ReadonlySet<number>>;

function settlerOf(write: Write): Settler {
  return new Settler({
    write,
    leaseOf: (lane) => leases.get(lane),
    nowMs: () => NOW,
    giveUp: async (attempt) => {
      givenUp.push(attempt.endpointNum);
      return { mayPauseKey: false };
    },
    endDeliveriesOfDroppedDays: async (attempts) => void left.push(attempts.map(({ endpointNum }) => endpointNum)),
    onSettled: (done, isWritten) => {
      expect(settled.has(done.endpointNum)).toBe(false);
      settled.set(done.endpointNum, isWritten);
      if (done.mayPauseKey) pausing.push(done.endpointNum);
    },
    onFailure: (_error, attempts) => failures.push(attempts),
  });
}

const held: Write = async (given) => new Set(given.map((lease) => lease.lane));

test('what ends in one turn of the event loop is written together, and what ends meanwhile goes next', async () => {
  const batches: number[] = [];
  const settler = settlerOf(async (given, attempts) => {
    batches.push(attempts.length);
    await time.sleep(10);
    return held(given, attempts);
  });
  for (let i = 0; i < 3; i++) settler.add(attempt(i));
  await time.pass(5);
  for (let i = 3; i < 5; i++) settler.add(attempt(i));
  await time.pass(50);
  expect(batches).toEqual([3, 2]);
  expect([...settled.values()]).toEqual([true, true, true, true, true]);
  expect(settler.size).toBe(0);
});

test('attempts stay until they are written, however long Postgres is away', async () => {
  let isAway = true;
  const settler = settlerOf(async (given, attempts) => {
    if (isAway) throw new Error('connection lost');
    return held(given, attempts);
  });
  settler.add(attempt(1));
  await time.pass(60_000);
  expect(settled.size).toBe(0);
  expect(settler.size).toBe(1);
  // The pauses grow: a Postgres that comes back is not met by a storm.
  expect(failures.length).toBeLessThan(50);
  isAway = false;
  settler.add(attempt(2));
  expect(await time.pass(5_000, () => settled.size === 2)).toBe(true);
});

test('a batch that Postgres refuses is halved until the attempt at fault stands alone, and the others are written', async () => {
  const settler = settlerOf(async (given, attempts) => {
    if (attempts.some(({ endpointNum }) => endpointNum === 5))
      throw Object.assign(new Error('refused'), { code: '22021' });
    return held(given, attempts);
  });
  for (let i = 0; i < 9; i++) settler.add(attempt(i));
  await time.pass(100);
  expect(givenUp).toEqual([5]);
  expect([...settled].filter(([, isOurs]) => !isOurs)).toEqual([]);
  expect(settled.size).toBe(9);
  expect(failures).toEqual([1]);
  expect(settler.size).toBe(0);
});

test('of days that were dropped all attempts are let go of together, and those of other days are written', async () => {
  let writes = 0;
  const settler = settlerOf(async (given, attempts) => {
    writes++;
    if (attempts.some(({ eventUuid }) => eventUuid < uuidFloor(19_999 * DAY_MS)))
      throw Object.assign(new Error('no partition'), { code: '23514' });
    return held(given, attempts);
  });
  for (let i = 0; i < 400; i++) settler.add(attempt(i, 0, 0, 19_997 + (i % 4)));
  await time.pass(100);
  expect(left.map((day) => day.map((num) => num % 4))).toEqual([Array(100).fill(0), Array(100).fill(1)]);
  expect([settled.size, settler.size, givenUp.length]).toEqual([400, 0, 0]);
  expect(writes).toBe(5);
});

test('G5: of a day that was dropped, only the table knows whether a key waits for what was not delivered', async () => {
  const settler = settlerOf(() => Promise.reject(Object.assign(new Error('no partition'), { code: '23514' })));
  const decisions: SettledAttempt['decision'][] = [
    { kind: 'done' },
    { kind: 'dead_letter' },
    { kind: 'retry', delayMs: 1 },
  ];
  for (const [i, decision] of decisions.entries()) settler.add({ ...attempt(i, 0, 0, 19_997), decision });
  await time.pass(100);
  expect([[...settled.keys()], pausing]).toEqual([
    [0, 1, 2],
    [1, 2],
  ]);
});

test('G2 attempts of yesterday and today are never let go of: that their day is missing is a fault which is mended', async () => {
  let isMissing = true;
  const settler = settlerOf(async (given, attempts) => {
    if (isMissing) throw Object.assign(new Error('no partition'), { code: '23514' });
    return held(given, attempts);
  });
  settler.add(attempt(1, 0, 0, 19_999));
  settler.add(attempt(2, 0, 0, 20_000));
  await time.pass(5_000);
  expect([left, settler.size]).toEqual([[], 2]);
  isMissing = false;
  await time.pass(5_000);
  expect([...settled].sort()).toEqual([
    [1, true],
    [2, true],
  ]);
});

test('attempts of other days are written while the day of some is missing', async () => {
  const settler = settlerOf(async (given, attempts) => {
    if (attempts.some(({ endpointNum }) => endpointNum === 1))
      throw Object.assign(new Error('no partition'), { code: '23514' });
    return held(given, attempts);
  });
  settler.add(attempt(1, 0, 0, 20_000));
  settler.add(attempt(2, 0, 0, 19_999));
  await time.pass(1_000);
  expect([[...settled], settler.size]).toEqual([[[2, true]], 1]);
});

test('a row that violates a constraint stands for itself, whatever its day', async () => {
  const settler = settlerOf(async (given, attempts) => {
    if (attempts.some(({ endpointNum }) => endpointNum === 2))
      throw Object.assign(new Error('violates'), { code: '23514', constraint: 'attempts_attempt_check' });
    return held(given, attempts);
  });
  for (let i = 0; i < 4; i++) settler.add(attempt(i));
  await time.pass(100);
  expect([givenUp, left]).toEqual([[2], []]);
});

test('a delivery whose attempt cannot be written is over, though it was to be retried', async () => {
  const seen: SettledAttempt[] = [];
  const settler = new Settler({
    write: async () => {
      throw Object.assign(new Error('refused'), { code: '22021' });
    },
    giveUp: async () => ({ mayPauseKey: true }),
    endDeliveriesOfDroppedDays: async () => {},
    leaseOf: (lane) => leases.get(lane),
    nowMs: () => NOW,
    onSettled: (ended) => seen.push(ended),
    onFailure: () => {},
  });
  settler.add({ ...attempt(1), decision: { kind: 'retry', delayMs: 5 } });
  settler.add(attempt(2));
  await time.pass(100);
  expect(seen).toMatchObject([
    { endpointNum: 1, decision: { kind: 'dead_letter' }, mayPauseKey: true },
    { endpointNum: 2, decision: { kind: 'done' } },
  ]);
  expect(settler.size).toBe(0);
});

test('when the connection is lost between the halves of a refused batch, each attempt is still reported once', async () => {
  let writes = 0;
  const settler = settlerOf(async (given, attempts) => {
    if (++writes === 3) throw new Error('connection lost');
    if (attempts.some(({ endpointNum }) => endpointNum === 3))
      throw Object.assign(new Error('refused'), { code: '22021' });
    return held(given, attempts);
  });
  for (let i = 0; i < 4; i++) settler.add(attempt(i));
  expect(await time.pass(5_000, () => settled.size === 4)).toBe(true);
  expect([...settled].sort()).toEqual([
    [0, true],
    [1, true],
    [2, true],
    [3, true],
  ]);
  expect(givenUp).toEqual([3]);
});

test('attempts of a lane that is not ours any more are reported as not written', async () => {
  const settler = settlerOf(async () => new Set([0]));
  leases.set(2, { lane: 2, epoch: 1 });
  for (const lane of [0, 1, 2]) settler.add(attempt(lane, lane));
  await time.pass(10);
  expect([...settled]).toEqual([
    [0, true],
    [1, false],
    [2, false],
  ]);
});

test('without a lease for any of them nothing is asked of Postgres', async () => {
  leases.clear();
  const settler = settlerOf(() => Promise.reject(new Error('asked')));
  settler.add(attempt(1));
  await time.pass(10);
  expect([...settled]).toEqual([[1, false]]);
  expect(failures).toEqual([]);
});

test('a statement carries at most 500 attempts and about 4 MB of bodies', async () => {
  const batches: number[] = [];
  const settler = settlerOf(async (given, attempts) => {
    batches.push(attempts.length);
    return held(given, attempts);
  });
  for (let i = 0; i < 501; i++) settler.add(attempt(i));
  for (let i = 501; i < 506; i++) settler.add(attempt(i, 0, 1024 * 1024));
  await time.pass(10);
  expect(batches).toEqual([500, 5, 1]);
});

test('a drain ends when everything is written', async () => {
  const settler = settlerOf(async (given, attempts) => {
    await time.sleep(10);
    return held(given, attempts);
  });
  await settler.drain();
  settler.add(attempt(1));
  let isDrained = false;
  void settler.drain().then(() => {
    isDrained = true;
  });
  await time.pass(5);
  expect(isDrained).toBe(false);
  await time.pass(20);
  expect(isDrained).toBe(true);
});
