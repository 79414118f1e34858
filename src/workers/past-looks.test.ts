import { beforeEach, expect, test } from 'vitest';
import { START } from '../store/mailbox.ts';
import { PastLooks } from './past-looks.ts';

const CLOCK_MS = 1_000_000;

let looks: PastLooks;
beforeEach(() => {
  looks = new PastLooks();
});

const at = (dueAtMs: number) => ({ eventUuid: 'u', endpointNum: 1, dueAtMs });
/** Where the front looks, in ms by the clock, and where it came to, or null for the end. */
function front(afterMs: number, end: number | null = null): number {
  const { dueAtMs } = looks.front.next(CLOCK_MS + afterMs);
  looks.front.took(end === null ? null : at(CLOCK_MS + end));
  return dueAtMs - CLOCK_MS;
}
/** Where a sweep goes from look to look, in ms. */
function sweep(kind: 'unseen' | 'passedOver', ends: readonly (number | null)[]): number[] {
  return ends.map((end) => {
    const { dueAtMs } = looks[kind].next();
    looks[kind].took(end === null ? null : at(end));
    return dueAtMs;
  });
}

test('the front begins a second ago, whatever waits before that; and what is before is looked through', () => {
  expect(looks.unseen.isOver).toBe(true);
  expect(front(0)).toBe(-1_000);
  expect(looks.unseen.isOver).toBe(false);
  expect(looks.unseen.next()).toBe(START);
  expect([looks.front.isOver, looks.passedOver.isOver]).toEqual([false, true]);
});

test('a front that came to the end looks a little back, and now and then a second before it did so last, for what is committed late', () => {
  expect([0, 25, 50, 249].map((ms) => front(ms))).toEqual([-1_000, -100, -75, -50]);
  expect([250, 275, 499].map((ms) => front(ms))).toEqual([0 - 1_000, 150, 175]);
  expect([500, 2_000].map((ms) => front(ms))).toEqual([250 - 1_000, 500 - 1_000]);
});

test('a front that stopped early resumes after its last row', () => {
  front(0);
  expect([front(10, -500), front(20, -400), front(30)]).toEqual([-100, -500, -400]);
});

test('a front whose rows found no room starts there again and still looks back for late commits', () => {
  front(0);
  expect(looks.front.next(CLOCK_MS + 300).dueAtMs).toBe(CLOCK_MS - 1_000);
  expect(front(301)).toBe(-1_000);
});

test('where Postgres’s clock was set back, the front begins a second before that', () => {
  front(0);
  expect(front(-5_000)).toBe(-6_000);
});

test('a front that falls three seconds behind goes on at the end, and what is between is looked through', () => {
  front(0, -900);
  sweep('unseen', [null]);
  expect(front(2_100)).toBe(-1_000);
  expect(looks.unseen.isOver).toBe(true);
  front(2_110, -800);
  expect(front(2_201)).toBe(2_201 - 1_000);
  expect(sweep('unseen', [null])).toEqual([CLOCK_MS - 800]);
  expect(looks.unseen.isOver).toBe(true);
});

test('a sweep goes on where it ended until it comes to the end', () => {
  looks.unseen.goFrom(at(10));
  expect(sweep('unseen', [500, 700, null])).toEqual([10, 500, 700]);
  expect(looks.unseen.isOver).toBe(true);
});

test('a sweep that is to begin again goes to the end first, and then from the earliest place that was asked for', () => {
  looks.unseen.goFrom(at(100));
  sweep('unseen', [500]);
  for (const place of [50, 20, 80]) looks.unseen.goFrom(at(place));
  expect(sweep('unseen', [700, null, 60, null])).toEqual([500, 700, 20, 60]);
  expect(looks.unseen.isOver).toBe(true);
});

test('for a tenant that is passed over no more what became due in 30 seconds is looked through, and everything', () => {
  looks.resweepAll(CLOCK_MS);
  expect(sweep('unseen', [null])).toEqual([CLOCK_MS - 30_000]);
  expect(looks.passedOver.next()).toBe(START);
  expect(looks.passedOver.isOver).toBe(false);
});

test('a resweep of what is recent goes through that, and no more', () => {
  looks.resweepRecent(CLOCK_MS);
  expect(sweep('unseen', [null])).toEqual([CLOCK_MS - 30_000]);
  expect(looks.passedOver.isOver).toBe(true);
});

test('a resweep of what is recent also begins where a tenant was passed over first, once', () => {
  looks.skippedFrom(at(500));
  looks.skippedFrom(at(700));
  looks.resweepRecent(CLOCK_MS);
  expect(sweep('unseen', [null])).toEqual([500]);
  looks.resweepRecent(CLOCK_MS);
  expect(sweep('unseen', [null])).toEqual([CLOCK_MS - 30_000]);
});
