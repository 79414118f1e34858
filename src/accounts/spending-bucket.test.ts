import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SpendingBucket } from './spending-bucket.ts';

/** What a greedy caller gets: the cost of each thing that was let through, and when. */
function play(perSecond: number, burst: number, asks: readonly { afterMs: number; cost: number }[]) {
  const bucket = new SpendingBucket(perSecond, burst, 0);
  const spent: { atMs: number; cost: number }[] = [];
  let nowMs = 0;
  for (const { afterMs, cost } of asks) {
    nowMs += afterMs;
    if (bucket.waitMs(cost, nowMs) > 0) continue;
    bucket.spend(cost, nowMs);
    spent.push({ atMs: nowMs, cost });
  }
  return spent;
}

const rates = fc.double({ min: 0.01, max: 5_000, noNaN: true });

test('in no window is more spent than the burst and what fills in meanwhile', () => {
  fc.assert(
    fc.property(
      rates,
      fc.integer({ min: 1, max: 1_000 }),
      fc.array(
        fc.record({
          afterMs: fc.double({ min: 0, max: 500, noNaN: true }),
          part: fc.double({ min: 0.01, max: 1, noNaN: true }),
        }),
        { maxLength: 200 },
      ),
      (perSecond, burst, asks) => {
        const spent = play(
          perSecond,
          burst,
          asks.map(({ afterMs, part }) => ({ afterMs, cost: burst * part })),
        );
        for (const [from, first] of spent.entries()) {
          let total = 0;
          for (const { atMs, cost } of spent.slice(from)) {
            total += cost;
            const allowed = burst + (perSecond * (atMs - first.atMs)) / 1000;
            expect(total).toBeLessThanOrEqual(allowed * (1 + 1e-9));
          }
        }
      },
    ),
  );
});

test('who waits as long as he was told gets what he asked for, and not a moment earlier', () => {
  fc.assert(
    fc.property(
      rates,
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (perSecond, burst, part) => {
        const bucket = new SpendingBucket(perSecond, burst, 0);
        bucket.spend(burst, 0);
        const waitMs = bucket.waitMs(burst * part, 0);
        expect(bucket.waitMs(burst * part, waitMs * 0.99)).toBeGreaterThan(0);
        expect(bucket.waitMs(burst * part, waitMs * (1 + 1e-9))).toBe(0);
      },
    ),
  );
});

test('a caller who always asks gets the whole rate', () => {
  const spent = play(
    50,
    10,
    Array.from({ length: 10_000 }, () => ({ afterMs: 1, cost: 1 })),
  );
  expect(spent.length).toBeGreaterThanOrEqual(10 + 50 * 10 - 1);
  expect(spent.length).toBeLessThanOrEqual(10 + 50 * 10);
});

test('what costs more than the burst waits for a full bucket, and is paid for afterwards', () => {
  const bucket = new SpendingBucket(10, 5, 0);
  expect(bucket.waitMs(20, 0)).toBe(0);
  bucket.spend(20, 0);
  expect(bucket.left(0)).toBe(0);
  expect(bucket.waitMs(1, 0)).toBe(1_600);
  expect(bucket.fullInMs(0)).toBe(2_000);
});

test('a smaller burst takes what is over it, a larger one gives nothing, and a clock that stands still gives nothing', () => {
  const bucket = new SpendingBucket(1, 100, 1_000);
  bucket.configure(1, 10, 1_000);
  bucket.configure(1, 100, 1_000);
  expect(bucket.left(1_000)).toBe(10);
  expect(bucket.left(500)).toBe(10);
  expect(bucket.left(6_000)).toBe(15);
});
