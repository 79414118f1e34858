import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Failure, unreachable } from './classify.ts';
import { Destination } from './destination.ts';
import type { ExtraAllowance } from './extra-sockets.ts';
import { type Turn, Turns } from './turns.ts';

const REFUSED = unreachable('refused', 'refused');
const RESET = unreachable('reset', 'reset');
const UNTRIED = unreachable('network', 'no route');
const BLOCKED: Failure = { kind: 'blocked', detail: 'not allowed' };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  // Immediates of fake timers are a millisecond late.
  vi.stubGlobal('setImmediate', (callback: () => void) => callback());
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** So many, without regard to whose they are. */
function extraSockets(most: number): ExtraAllowance {
  let free = most;
  return {
    take: () => free > 0 && free-- > 0,
    giveBack: () => void free++,
  };
}

/** The turns of addresses a, b, c, …: by name, which of them are open still, and what came of it. */
function turnsOf(count: number, { withinMs = 8_000, begin = true, extra = extraSockets(64) } = {}) {
  const addresses = [...'abcdefgh'].slice(0, count);
  const turns = new Map<string, Turn>();
  const open = new Set<string>();
  const outcomes: (Failure | Socket | null)[] = [];
  const all = new Turns(
    {
      destination: Destination.ofProxy({ hostname: 'proxy.test', addresses, port: 1 }),
      endsAt: performance.now() + withinMs,
      extra,
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

test('an address that has not made it in its share of the time goes on beside the next', () => {
  const { open, outcomes } = turnsOf(3, { withinMs: 9_000 });
  const seen = [open()];
  for (let ms = 0; ms < 9_000; ms += 1_000) {
    vi.advanceTimersByTime(1_000);
    seen.push(open());
  }
  expect(seen.join(' ')).toBe('a a a ab ab ab abc abc abc abc');
  expect(outcomes).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('an address has half a second at the least', () => {
  const { open } = turnsOf(3, { withinMs: -1_000 });
  vi.advanceTimersByTime(499);
  expect(open()).toBe('a');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('ab');
});

test('an address that fails gives way at once, and what it did not use is left to the others', () => {
  const { turn, open } = turnsOf(3, { withinMs: 9_000 });
  turn('a').fail(REFUSED);
  expect(open()).toBe('b');
  vi.advanceTimersByTime(4_499);
  expect(open()).toBe('b');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('bc');
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
  expect(open()).toBe('ab');
});

test('the first that stands ends the others', () => {
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
  const { open } = turnsOf(5, { withinMs: 5_000 });
  const seen = [];
  for (let n = 0; n < 5; n++) {
    seen.push(open());
    vi.advanceTimersByTime(1_000);
  }
  expect(seen).toEqual(['a', 'ab', 'abc', 'acd', 'ade']);
});

test('all together have no more open than one each and the extra ones: who finds none left tries one address at a time', () => {
  const extra = extraSockets(3);
  const all = [1, 2, 3, 4].map(() => turnsOf(4, { withinMs: 4_000, extra }));
  const seen = [];
  for (let n = 0; n < 4; n++) {
    seen.push(all.map(({ open }) => open()).join(' '));
    vi.advanceTimersByTime(1_000);
  }
  expect(seen).toEqual(['a a a a', 'ab ab ab b', 'ac ac ac c', 'ad ad ad d']);
});

test("what is given back may be another's: who has only a handshake then waits for one too", () => {
  const extra = extraSockets(1);
  const { turn, open } = turnsOf(4, { withinMs: 3_000, extra });
  turn('a').enterHandshake();
  vi.advanceTimersByTime(750);
  expect(open()).toBe('ab');
  extra.take = () => false;
  turn('b').fail(REFUSED);
  expect([open(), vi.getTimerCount()]).toEqual(['a', 1]);
  extra.take = () => true;
  vi.advanceTimersByTime(750);
  expect(open()).toBe('ac');
});

test('who finds none left cuts no handshake off for the next address, which comes once there is one', () => {
  const extra = extraSockets(1);
  extra.take();
  const { turn, open, outcomes } = turnsOf(4, { withinMs: 3_000, extra });
  const socket = new Socket();
  turn('a').enterHandshake();
  vi.advanceTimersByTime(2_500);
  expect([open(), vi.getTimerCount()]).toEqual(['a', 1]);
  extra.giveBack();
  vi.advanceTimersByTime(500);
  expect(open()).toBe('ab');
  turn('a').open(socket);
  expect([open(), outcomes, vi.getTimerCount(), extra.take()]).toEqual(['a', [socket], 0, true]);
});

test('whoever waits so tries the next address as soon as its own fails', () => {
  const { turn, open, outcomes } = turnsOf(2, { withinMs: 1_000, extra: extraSockets(0) });
  turn('a').enterHandshake();
  vi.advanceTimersByTime(700);
  expect(open()).toBe('a');
  turn('a').fail(RESET);
  expect([open(), outcomes]).toEqual(['b', []]);
});

test('whoever waits so tries the next address as soon as any fails, and that has its share of the time', () => {
  const { turn, open } = turnsOf(4, { withinMs: 4_000, extra: extraSockets(1) });
  turn('a').enterHandshake();
  vi.advanceTimersByTime(1_000);
  turn('b').enterHandshake();
  vi.advanceTimersByTime(1_200);
  expect(open()).toBe('ab');
  turn('a').fail(RESET);
  expect([open(), vi.getTimerCount()]).toEqual(['bc', 1]);
  vi.advanceTimersByTime(899);
  expect(open()).toBe('bc');
  vi.advanceTimersByTime(1);
  expect(open()).toBe('bd');
});

test('where the socket of the one that failed goes to somebody else, it waits on', () => {
  const extra = extraSockets(1);
  const { turn, open, outcomes } = turnsOf(3, { withinMs: 3_000, extra });
  turn('a').enterHandshake();
  vi.advanceTimersByTime(1_000);
  turn('b').enterHandshake();
  vi.advanceTimersByTime(1_100);
  extra.take = () => false;
  turn('a').fail(RESET);
  expect([open(), vi.getTimerCount()]).toEqual(['b', 1]);
  turn('b').fail(RESET);
  expect([open(), vi.getTimerCount()]).toEqual(['c', 0]);
  turn('c').fail(RESET);
  expect(outcomes).toEqual([RESET]);
});

test('whoever waits so tries no other after a failure that is of no one address', () => {
  const { turn, open, outcomes } = turnsOf(3, { withinMs: 3_000, extra: extraSockets(1) });
  turn('a').enterHandshake();
  vi.advanceTimersByTime(1_000);
  turn('b').enterHandshake();
  vi.advanceTimersByTime(1_100);
  turn('a').failForAll(BLOCKED);
  vi.advanceTimersByTime(4_000);
  expect([open(), outcomes, vi.getTimerCount()]).toEqual(['b', [], 0]);
  turn('b').fail(RESET);
  expect(outcomes).toEqual([BLOCKED]);
});

test('for a fourth one that is silent is given up, be it the first, rather than a handshake cut off', () => {
  const { turn, open } = turnsOf(5, { withinMs: 5_000 });
  vi.advanceTimersByTime(1_000);
  turn('b').enterHandshake();
  vi.advanceTimersByTime(1_000);
  turn('c').enterHandshake();
  vi.advanceTimersByTime(1_000);
  expect(open()).toBe('bcd');
  turn('d').enterHandshake();
  vi.advanceTimersByTime(1_000);
  // Where all are in the handshake, each address has its turn all the same.
  expect(open()).toBe('bde');
});

test.each<[string, (turns: ReturnType<typeof turnsOf>) => void]>([
  ['its end', ({ all }) => all.destroy()],
  ['its connection', ({ turn }) => turn('b').open(new Socket())],
  ['its failure', ({ turn }) => 'abc'.split('').forEach((address) => void turn(address).fail(RESET))],
  ['the end of its choice', ({ turn }) => turn('b').failForAll(BLOCKED)],
])('%s gives back each extra one that it had', (_what, end) => {
  const extra = extraSockets(2);
  const turns = turnsOf(3, { withinMs: 3_000, extra });
  vi.advanceTimersByTime(2_000);
  expect([turns.open(), extra.take()]).toEqual(['abc', false]);
  end(turns);
  expect([extra.take(), extra.take(), extra.take()]).toEqual([true, true, false]);
});

test('that this host cannot try the next address says nothing of one that was given up for it', () => {
  const { turn, outcomes } = turnsOf(2, { extra: extraSockets(0) });
  vi.advanceTimersByTime(4_000);
  turn('b').fail(UNTRIED);
  expect(outcomes).toMatchObject([{ reason: 'timeout' }]);
});

test('after three that cut the handshake off no other is tried', () => {
  const { turn, open, outcomes } = turnsOf(5);
  turn('a').fail(REFUSED);
  for (const address of 'bcd') {
    expect([open(), outcomes]).toEqual([address, []]);
    turn(address).enterHandshake();
    turn(address).fail(RESET);
  }
  expect([open(), outcomes]).toEqual(['', [RESET]]);
});

test('a connection that stands when its share of the time is found to be over is not given up', async () => {
  vi.unstubAllGlobals();
  const { turn, open, outcomes } = turnsOf(2, { extra: extraSockets(0) });
  const socket = new Socket();
  vi.advanceTimersByTime(4_000);
  turn('a').open(socket);
  await new Promise((settle) => setImmediate(settle));
  expect([open(), outcomes]).toEqual(['a', [socket]]);
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

test('it ends what nobody has taken in its share of the time', () => {
  const { turn, open, outcomes } = turnsOf(4);
  turn('a').take();
  vi.advanceTimersByTime(4_000);
  expect(open()).toBe('abc');
  turn('c').failForAll(BLOCKED);
  expect([open(), outcomes]).toEqual(['a', []]);
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

test('such a failure leaves the last one, which has no share of its own, what is missing of half a second', () => {
  const { all, turn, open, outcomes } = turnsOf(2);
  turn('a').enterHandshake();
  vi.advanceTimersByTime(4_200);
  expect([open(), all.decidedFailure]).toEqual(['ab', null]);
  turn('a').failForAll(BLOCKED);
  vi.advanceTimersByTime(299);
  expect([open(), outcomes, all.decidedFailure]).toEqual(['b', [], BLOCKED]);
  vi.advanceTimersByTime(1);
  expect([open(), outcomes, vi.getTimerCount()]).toEqual(['', [BLOCKED], 0]);
});

test('so it does one whose address has not been asked yet', () => {
  const { turn, open, outcomes } = turnsOf(2, { begin: false });
  turn('a').begin();
  turn('a').take();
  vi.advanceTimersByTime(4_000);
  turn('a').failForAll(BLOCKED);
  vi.advanceTimersByTime(4_000);
  turn('b').begin();
  vi.advanceTimersByTime(499);
  expect([open(), outcomes]).toEqual(['b', []]);
  vi.advanceTimersByTime(1);
  expect([open(), outcomes]).toEqual(['', [BLOCKED]]);
});

test('a last one that has been taken goes on after such a failure, which is known meanwhile', () => {
  const { all, turn, open, outcomes } = turnsOf(2);
  turn('a').enterHandshake();
  vi.advanceTimersByTime(4_200);
  turn('a').failForAll(BLOCKED);
  turn('b').enterHandshake();
  vi.advanceTimersByTime(4_000);
  expect([open(), outcomes, all.decidedFailure, vi.getTimerCount()]).toEqual(['b', [], BLOCKED, 0]);
  const socket = new Socket();
  turn('b').open(socket);
  expect(outcomes).toEqual([socket]);
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
