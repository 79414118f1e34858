import { afterEach, beforeEach, expect, type Mock, test, vi } from 'vitest';
import { Crowding } from './crowding.ts';
import type { SendScheduler } from './send-scheduler.ts';

let now: number;
let hasRowsFree: boolean;
let areBytesShort: boolean;
let bytesLeft: number;
let waiting: number;
let scheduler: {
  inFlight: number;
  finished: number;
  places: Mock<SendScheduler['places']>;
};
let crowding: Crowding;

beforeEach(() => {
  now = 1_000;
  hasRowsFree = false;
  areBytesShort = false;
  bytesLeft = Number.POSITIVE_INFINITY;
  waiting = 100;
  scheduler = { inFlight: 0, finished: 0, places: vi.fn() };
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  crowding = new Crowding({
    list: {
      get waiting() {
        return waiting;
      },
    },
    memory: {
      get hasRowsFree() {
        return hasRowsFree;
      },
      get areBytesShort() {
        return areBytesShort;
      },
      bytePlaces: () => ({ has: () => bytesLeft > 0, take: () => void bytesLeft-- }),
    },
    scheduler,
  });
});

afterEach(() => vi.restoreAllMocks());

/** Looks every 10 ms, while requests end at a rate. */
function pass(ms: number, endedPerS: number): void {
  for (let i = 0; i < ms / 10; i++) {
    scheduler.finished += endedPerS / 100;
    now += 10;
    crowding.look(now);
  }
}

test('it is on when memory is short throughout and what waits there could not be sent within a second', () => {
  pass(240, 99);
  expect(crowding.isOn).toBe(false);
  pass(20, 99);
  expect(crowding.isOn).toBe(true);
});

test.each([
  ['requests end fast enough', () => pass(10_000, 101)],
  [
    'there is room now and then',
    () => {
      for (let i = 0; i < 50; i++) {
        pass(200, 0);
        hasRowsFree = true;
        pass(10, 0);
        hasRowsFree = false;
      }
    },
  ],
  [
    'memory is full, but of nothing that waits',
    () => {
      waiting = 0;
      pass(10_000, 0);
    },
  ],
])('it is not on where %s', (_what, live) => {
  live();
  expect(crowding.isOn).toBe(false);
  expect(crowding.places()).toBeNull();
});

test('how fast requests end is asked of the last quarter of a second, not of all the time that memory is short', () => {
  pass(60_000, 1_000);
  expect(crowding.isOn).toBe(false);
  pass(520, 0);
  expect(crowding.isOn).toBe(true);
});

test('it stays on for five seconds, though memory is not short any more', () => {
  pass(270, 0);
  hasRowsFree = true;
  pass(4_980, 0);
  expect(crowding.isOn).toBe(true);
  pass(30, 0);
  expect(crowding.isOn).toBe(false);
});

test.each([
  ['as long as rows find no place and requests take longer than a second', 19, true, true],
  ['not where they are fast', 21, true, false],
  ['not where every row finds a place', 0, false, false],
])('it goes on: %s', (_what, endedPerS, isRefused, goesOn) => {
  scheduler.inFlight = 20;
  scheduler.places.mockReturnValue({ take: () => !isRefused });
  pass(270, 0);
  hasRowsFree = true;
  for (let i = 0; i < 600; i++) {
    pass(10, endedPerS);
    crowding.places()?.take(1);
  }
  expect(crowding.isOn).toBe(goesOn);
});

test.each([
  ['it is on where bytes are short and what has them is under way for long, though nothing waits', 99, true],
  ['it is not on where bytes are short and requests end fast enough', 101, false],
])('%s', (_what, endedPerS, isOn) => {
  Object.assign(scheduler, { inFlight: 100 });
  [hasRowsFree, areBytesShort, waiting] = [true, true, 0];
  pass(10_000, endedPerS);
  expect(crowding.isOn).toBe(isOn);
});

test('while it is on a row has a place where there are a slot and bytes for it, and what finds no bytes takes no slot', () => {
  const take = vi.fn(() => true);
  scheduler.places.mockReturnValue({ take });
  pass(270, 0);
  bytesLeft = 2;
  const places = crowding.places()!;
  expect([places.take(1), places.take(1), places.take(1)]).toEqual([true, true, false]);
  expect(take).toHaveBeenCalledTimes(2);
  take.mockReturnValue(false);
  bytesLeft = 1;
  expect([places.take(2), bytesLeft]).toEqual([false, 1]);
});

test('a pause of the process itself does not turn crowded mode on', () => {
  pass(200, 0);
  now += 300;
  crowding.look(now);
  expect(crowding.isOn).toBe(false);
  pass(240, 0);
  expect(crowding.isOn).toBe(false);
  pass(20, 0);
  expect(crowding.isOn).toBe(true);
});
