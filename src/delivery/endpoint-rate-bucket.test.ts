import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RateLimit } from '../domain/endpoint.ts';
import { EndpointRateBucket } from './endpoint-rate-bucket.ts';

const START = Date.UTC(2026, 10, 23, 12, 0, 0);
/** Tokens that a sum of doubles may be wrong by. */
const ROUNDING = 1e-5;

function takeAll(bucket: EndpointRateBucket, nowMs: number): number {
  let taken = 0;
  while (bucket.take(nowMs)) taken++;
  return taken;
}

/** Takes whatever there is, as soon as there is one, for `ms`. @returns how many it got. */
function takeGreedily(bucket: EndpointRateBucket, ms: number): number {
  let nowMs = START;
  let taken = 0;
  for (;;) {
    taken += takeAll(bucket, nowMs);
    const waitMs = bucket.nextTokenMs(nowMs);
    if (nowMs + waitMs > START + ms) break;
    nowMs += waitMs;
  }
  return taken + takeAll(bucket, START + ms);
}

test('a new bucket is full: the burst at once, then no more than the rate', () => {
  const bucket = new EndpointRateBucket({ perSecond: 50, burst: 10 }, START);
  expect(takeAll(bucket, START)).toBe(10);
  expect(takeAll(bucket, START + 19)).toBe(0);
  expect(takeAll(bucket, START + 20)).toBe(1);
  expect(takeAll(bucket, START + 1_020)).toBe(10);
});

test('a bucket never holds more than its burst, however long nobody comes', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1_000, burst: 3 }, START);
  expect(takeAll(bucket, START + 86_400_000)).toBe(3);
  expect(takeAll(bucket, START + 2 * 86_400_000)).toBe(3);
});

test('a rate below one a second gives a token as rarely as it says', () => {
  const bucket = new EndpointRateBucket({ perSecond: 0.1, burst: 1 }, START);
  expect([bucket.take(START), bucket.nextTokenMs(START)]).toEqual([true, 10_000]);
  expect([bucket.take(START + 9_999), bucket.nextTokenMs(START + 9_999)]).toEqual([false, 1]);
  expect(bucket.take(START + 10_000)).toBe(true);
});

test('what comes beyond a burst of half a token more is not a token', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 1.5 }, START);
  expect(takeAll(bucket, START)).toBe(1);
  expect(bucket.nextTokenMs(START)).toBe(500);
});

test('looking takes nothing', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 1 }, START);
  for (let i = 0; i < 5; i++) expect(bucket.nextTokenMs(START)).toBe(0);
  expect(bucket.take(START)).toBe(true);
});

test.each([
  [{ perSecond: 9_999.7, burst: 100 }, 100_000],
  [{ perSecond: 1 / 3, burst: 1 }, 300_000_000],
  [{ perSecond: 7.77, burst: 10 }, 10_000_000],
  [{ perSecond: 0.000_1, burst: 2 }, 1e11],
])('a limit of %j does not drift: after %i ms a greedy caller has all tokens but one', (limit, ms) => {
  const taken = takeGreedily(new EndpointRateBucket(limit, START), ms);
  const minted = limit.burst + (limit.perSecond * ms) / 1000;
  expect(taken).toBeLessThanOrEqual(minted + ROUNDING);
  expect(taken).toBeGreaterThanOrEqual(minted - 1 - ROUNDING);
});

const limits: fc.Arbitrary<RateLimit> = fc.record({
  perSecond: fc.oneof(
    fc.double({ min: 0.001, max: 1, noNaN: true }),
    fc.double({ min: 1, max: 5_000, noNaN: true }),
    fc.integer({ min: 1, max: 100 }),
  ),
  burst: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.double({ min: 1, max: 50, noNaN: true })),
});

interface Call {
  readonly afterMs: number;
  readonly act: 'take' | 'drain' | 'look' | 'save';
}

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(3_000), fc.double({ min: 0, max: 20, noNaN: true })),
    act: fc.constantFrom('take', 'take', 'drain', 'look', 'save'),
  }),
  { maxLength: 80, size: 'medium' },
);

/** Plays calls on a bucket, restoring it where they say so. @returns when each token was taken, by the latest time that the clock had shown. */
function play(
  limit: RateLimit,
  script: readonly Call[],
  clock: (ms: number, i: number) => number = (ms) => ms,
): number[] {
  let bucket = new EndpointRateBucket(limit, START);
  let ms = START;
  let latestMs = START;
  const takenAt: number[] = [];
  for (const [i, { afterMs, act }] of script.entries()) {
    ms += afterMs;
    const nowMs = clock(ms, i);
    latestMs = Math.max(latestMs, nowMs);
    if (act === 'look') bucket.nextTokenMs(nowMs);
    if (act === 'save') bucket = EndpointRateBucket.restore(JSON.parse(JSON.stringify(bucket.save())), limit, nowMs);
    if (act === 'take' && bucket.take(nowMs)) takenAt.push(latestMs);
    if (act === 'drain') for (let n = takeAll(bucket, nowMs); n > 0; n--) takenAt.push(latestMs);
  }
  return takenAt;
}

function expectWithin(limit: RateLimit, takenAt: readonly number[]): void {
  for (let from = 0; from < takenAt.length; from++) {
    for (let to = from; to < takenAt.length; to++) {
      const most = limit.burst + (limit.perSecond * (takenAt[to]! - takenAt[from]!)) / 1000;
      if (to - from + 1 > most + ROUNDING) expect.fail(`${to - from + 1} taken where ${most} were allowed`);
    }
  }
}

test('in no interval is more taken than the burst and the rate allow, through saves and restores too', () => {
  fc.assert(
    fc.property(limits, calls, (limit, script) => expectWithin(limit, play(limit, script))),
    { numRuns: 300 },
  );
});

test('a greedy caller gets all tokens but one, where the burst has room for the millisecond that a clock counts in', () => {
  fc.assert(
    fc.property(limits, fc.nat(2_000), (limit, ms) => {
      fc.pre(limit.burst >= 1 + limit.perSecond / 1000);
      const minted = limit.burst + (limit.perSecond * ms) / 1000;
      const taken = takeGreedily(new EndpointRateBucket(limit, START), ms);
      expect(taken).toBeLessThanOrEqual(minted + ROUNDING);
      expect(taken).toBeGreaterThanOrEqual(minted - 1 - ROUNDING);
    }),
    { numRuns: 300 },
  );
});

test('saving and restoring costs a greedy caller nothing, however often', () => {
  const limit = { perSecond: 7.77, burst: 2 };
  let bucket = new EndpointRateBucket(limit, START);
  let taken = 0;
  for (let ms = 0; ms <= 1_000_000; ms += 10) {
    bucket = EndpointRateBucket.restore(JSON.parse(JSON.stringify(bucket.save())), limit, START + ms);
    taken += takeAll(bucket, START + ms);
  }
  expect(Math.abs(taken - (2 + 7_770))).toBeLessThanOrEqual(1);
});

test('after nextTokenMs there is a token, and two milliseconds before there is none', () => {
  fc.assert(
    fc.property(
      limits,
      calls,
      fc.option(fc.nat(10_000)),
      fc.integer({ min: -4_000, max: 4_000 }),
      (limit, script, throttleMs, stepMs) => {
        const bucket = new EndpointRateBucket(limit, START);
        let ms = START;
        for (const { afterMs, act } of script) {
          ms += afterMs;
          if (act === 'drain') takeAll(bucket, ms);
          else bucket.take(ms);
        }
        if (throttleMs !== null) bucket.throttleUntil(ms + throttleMs);
        const nowMs = ms + stepMs;
        const waitMs = bucket.nextTokenMs(nowMs);
        expect(Number.isInteger(waitMs)).toBe(true);
        const early = EndpointRateBucket.restore(bucket.save(), limit, nowMs + waitMs - 2);
        if (waitMs > 2) expect(early.take(nowMs + waitMs - 2)).toBe(false);
        expect(bucket.take(nowMs + waitMs)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('a clock that goes back and forth by a little mints nothing', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 2 }, START);
  takeAll(bucket, START);
  for (let i = 0; i < 100; i++) expect([takeAll(bucket, START - 4_900), takeAll(bucket, START)]).toEqual([0, 0]);
  expect(bucket.nextTokenMs(START - 4_000)).toBe(5_000);
  fc.assert(
    fc.property(limits, calls, fc.array(fc.nat(4_999), { minLength: 80, maxLength: 80 }), (limit, script, backs) => {
      expectWithin(
        limit,
        play(limit, script, (ms, i) => ms - backs[i]!),
      );
    }),
  );
});

test('a clock that goes back by a little takes nothing away either', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 3 }, START);
  expect(takeAll(bucket, START - 4_000)).toBe(3);
});

test('a clock that goes back by hours mints nothing, and tokens come on from there', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 5 }, START);
  takeAll(bucket, START);
  const back = START - 3_600_000;
  expect([takeAll(bucket, back), bucket.nextTokenMs(back)]).toEqual([0, 1_000]);
  expect(takeAll(bucket, back + 3_000)).toBe(3);
});

test('a clock that goes back by hours does not prolong a throttle by hours', () => {
  const bucket = new EndpointRateBucket({ perSecond: 1, burst: 5 }, START);
  bucket.throttleUntil(START + 60_000);
  bucket.take(START);
  const back = START - 3_600_000;
  expect([bucket.take(back), bucket.nextTokenMs(back)]).toEqual([false, 60_000]);
  expect(bucket.take(back + 60_000)).toBe(true);
});

test('a throttled bucket gives nothing until its time, although it is full, and then its burst', () => {
  const bucket = new EndpointRateBucket({ perSecond: 10, burst: 4 }, START);
  bucket.throttleUntil(START + 30_000);
  expect([bucket.nextTokenMs(START), bucket.take(START + 29_999)]).toEqual([30_000, false]);
  expect([bucket.nextTokenMs(START + 30_000), takeAll(bucket, START + 30_000)]).toEqual([0, 4]);
});

test('of two throttles the later one wins, whichever comes first', () => {
  for (const [first, second] of [
    [5_000, 9_000],
    [9_000, 5_000],
    [9_000, 9_000],
  ] as const) {
    const bucket = new EndpointRateBucket({ perSecond: 10, burst: 4 }, START);
    expect(bucket.throttledUntilMs(START)).toBeNull();
    expect(bucket.throttleUntil(START + first)).toBe(true);
    expect(bucket.throttleUntil(START + second)).toBe(second > first);
    expect([bucket.nextTokenMs(START), bucket.throttledUntilMs(START)]).toEqual([9_000, START + 9_000]);
  }
});

test('where a throttle ends before the next token comes, the token decides', () => {
  const bucket = new EndpointRateBucket({ perSecond: 0.1, burst: 1 }, START);
  bucket.take(START);
  bucket.throttleUntil(START + 2_000);
  expect(bucket.nextTokenMs(START)).toBe(10_000);
});

test('tokens and throttle are what they were after a restart, and the time between counts', () => {
  const limit = { perSecond: 2, burst: 10 };
  const bucket = new EndpointRateBucket(limit, START);
  takeAll(bucket, START);
  expect(takeAll(EndpointRateBucket.restore(bucket.save(), limit, START), START)).toBe(0);
  expect(takeAll(EndpointRateBucket.restore(bucket.save(), limit, START + 2_000), START + 2_000)).toBe(4);
  bucket.throttleUntil(START + 60_000);
  expect(EndpointRateBucket.restore(bucket.save(), limit, START + 2_000).nextTokenMs(START + 2_000)).toBe(58_000);
});

test('without anything saved a restored bucket is full', () => {
  expect(takeAll(EndpointRateBucket.restore(null, { perSecond: 1, burst: 7 }, START), START)).toBe(7);
});

test('new limits keep the tokens within the new burst, and mint none', () => {
  const full = new EndpointRateBucket({ perSecond: 1, burst: 10 }, START);
  expect(takeAll(EndpointRateBucket.restore(full.save(), { perSecond: 1, burst: 3 }, START), START)).toBe(3);
  const narrowed = EndpointRateBucket.restore(full.save(), { perSecond: 1, burst: 3 }, START);
  expect(takeAll(EndpointRateBucket.restore(narrowed.save(), { perSecond: 1, burst: 10 }, START), START)).toBe(3);
  for (let i = 0; i < 6; i++) full.take(START);
  const wider = EndpointRateBucket.restore(full.save(), { perSecond: 5, burst: 100 }, START);
  expect([takeAll(wider, START), wider.nextTokenMs(START)]).toEqual([4, 200]);
  expect(takeAll(wider, START + 86_400_000)).toBe(100);
});
