import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Failure, unreachable } from './classify.ts';
import { Destination } from './destination.ts';
import { type Turn, Turns } from './turns.ts';

const REFUSED = unreachable('refused', 'refused');
const RESET = unreachable('reset', 'reset');
const UNTRIED = unreachable('network', 'no route');
const BLOCKED: Failure = { kind: 'blocked', detail: 'not allowed' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The turns of addresses a, b, c, …: by name, which of them are open still, and what came of it. */
function turnsOf(count: number, { withinMs = 8_000, begin = true } = {}) {
  const addresses = [...'abcdefgh'].slice(0, count);
  const turns = new Map<string, Turn>();
  const open = new Set<string>();
  const outcomes: (Failure | Socket | null)[] = [];
  const all = new Turns(
    {
      destination: Destination.ofProxy({ hostname: 'proxy.test', addresses, port: 1 }),
      endsAt: performance.now() + withinMs,
      open(turn) {
        turns.set(turn.address, turn);
        open.add(turn.address);
        if (begin) turn.begin();
        return { destroy: () => void open.delete(turn.address) };
      },
    },
    (failure, socket) => outcomes.push(failure ?? socket),
  );
  all.start();
  return { all, turn: (address: string) => turns.get(address)!, open: () => [...open].join(''), outcomes };
}

test('an address that does not take the connection in its share of the time gives way to the next, the last one to none', () => {
  const { open, outcomes } = turnsOf(3, { withinMs: 9_000 });
  const seen = [open()];
  for (let ms = 0; ms < 9_000; ms += 1_000) {
    vi.advanceTimersByTime(1_000);
    seen.push(open());
  }
  expect(seen.join(' ')).toBe('a a a b b b c c c c');
  expect(outcomes).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('an address has half a second at the least', () => {
  const { open } = turnsOf(3, { withinMs: -1_000 });
  vi.advanceTimersByTime(499);
  expect(open()).toBe('a');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('b');
});

test('an address that fails gives way at once, and what it did not use is left to the others', () => {
  const { turn, open } = turnsOf(3, { withinMs: 9_000 });
  turn('a').fail(REFUSED);
  expect(open()).toBe('b');
  vi.advanceTimersByTime(4_499);
  expect(open()).toBe('b');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('c');
});

test('its share begins when the address itself is asked', () => {
  const { all, turn, open } = turnsOf(2, { begin: false });
  vi.advanceTimersByTime(4_000);
  expect([open(), all.hasBegun]).toEqual(['a', false]);
  turn('a').begin();
  expect(all.hasBegun).toBe(true);
  vi.advanceTimersByTime(1_999);
  expect(open()).toBe('a');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('b');
});

test('an address that has taken the connection goes on beside the next, and the first of them that stands ends the others', () => {
  const { all, turn, open, outcomes } = turnsOf(3);
  const socket = new Socket();
  expect(all.isInHandshake).toBe(false);
  turn('a').enterHandshake();
  vi.advanceTimersByTime(2_667);
  expect([open(), all.isInHandshake]).toEqual(['ab', true]);
  turn('a').open(socket);
  expect(open()).toBe('a');
  expect(vi.getTimerCount()).toBe(0);
  turn('b').open(new Socket());
  turn('b').fail(REFUSED);
  turn('a').fail(RESET);
  expect(outcomes).toEqual([socket]);
});

test('an earlier one that fails does not cost the present one its share', () => {
  const { turn, open, outcomes } = turnsOf(3, { withinMs: 9_000 });
  turn('a').take();
  vi.advanceTimersByTime(3_000);
  turn('a').fail(RESET);
  expect(open()).toBe('b');
  turn('b').fail(RESET);
  expect(open()).toBe('c');
  turn('c').fail(REFUSED);
  expect(outcomes).toEqual([REFUSED]);
});

test('what still runs when the last one fails is waited for', () => {
  const { turn, open, outcomes } = turnsOf(2);
  turn('a').take();
  vi.advanceTimersByTime(4_000);
  turn('b').fail(REFUSED);
  expect([open(), outcomes]).toEqual(['a', []]);
  turn('a').fail(RESET);
  expect([open(), outcomes]).toEqual(['', [RESET]]);
});

test('no more than three are open at once: the first has all the time, and each has its turn', () => {
  const { turn, open } = turnsOf(5, { withinMs: 5_000 });
  const seen = [];
  for (const address of 'abcde') {
    turn(address).take();
    seen.push(open());
    vi.advanceTimersByTime(1_000);
  }
  expect(seen).toEqual(['a', 'ab', 'abc', 'acd', 'ade']);
});

test('after a failure that is of no one address no other is tried, and it counts, but what runs may still make it', () => {
  for (const stands of [true, false]) {
    const { turn, open, outcomes } = turnsOf(3);
    const socket = new Socket();
    turn('a').take();
    vi.advanceTimersByTime(2_667);
    turn('b').failForAll(BLOCKED);
    expect([open(), outcomes, vi.getTimerCount()]).toEqual(['a', [], 0]);
    if (stands) turn('a').open(socket);
    else turn('a').fail(RESET);
    expect(outcomes).toEqual([stands ? socket : BLOCKED]);
  }
});

test('such a failure of an earlier one leaves the present one its share, and no other comes after it', () => {
  const { turn, open, outcomes } = turnsOf(3);
  turn('a').take();
  vi.advanceTimersByTime(2_667);
  turn('a').failForAll(BLOCKED);
  expect([open(), outcomes]).toEqual(['b', []]);
  vi.advanceTimersByTime(2_667);
  expect([open(), outcomes, vi.getTimerCount()]).toEqual(['', [BLOCKED], 0]);
});

test.each([
  ['the last', [REFUSED, RESET], RESET],
  ['the last that this host could try', [REFUSED, RESET, UNTRIED, UNTRIED], RESET],
  ['whichever it could', [UNTRIED, REFUSED, UNTRIED], REFUSED],
  ['that it could try none', [UNTRIED, UNTRIED], UNTRIED],
])('where all fail, what counts is %s', (_what, failures, expected) => {
  const { turn, outcomes } = turnsOf(failures.length);
  failures.forEach((failure, at) => {
    turn('abcd'[at]!).fail(failure);
  });
  expect(outcomes).toEqual([expected]);
});

test('the end of all leaves nothing open, and calls nobody back', () => {
  const { all, turn, open, outcomes } = turnsOf(3);
  turn('a').take();
  vi.advanceTimersByTime(2_667);
  expect(open()).toBe('ab');
  all.destroy();
  turn('a').open(new Socket());
  turn('b').fail(REFUSED);
  expect([open(), outcomes, vi.getTimerCount(), all.hasBegun]).toEqual(['', [], 0, false]);
});
