import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import type { IncomingMessage, Intake } from './intake.ts';
import { MessageLines } from './message-lines.ts';
import { Pump } from './pump.ts';
import { Standings } from './standings.ts';

function message(group: string, n: number): IncomingMessage {
  return {
    position: `${group}/${n}`,
    group,
    attributes: new Map(),
    key: null,
    headers: new Map(),
    body: Buffer.from(String(n)),
    timestampMs: null,
  };
}

/** Pumps 3 groups of `each` messages through an intake; resolves with what was done, in order, once all are. */
async function pumpAll(each: number, intake: Intake) {
  const lines = new MessageLines<IncomingMessage>();
  const done: string[] = [];
  const abort = new AbortController();
  const pump = new Pump({
    lines,
    intake,
    onDone: (batch) => {
      done.push(...batch.map(({ position }) => position));
      if (done.length === each * 3) abort.abort();
    },
    onTrouble: () => {},
    standings: new Standings(),
    steadyMs: () => performance.now(),
  });
  for (let n = 0; n < each; n++) for (const group of ['a', 'b', 'c']) lines.push(message(group, n));
  await pump.run(abort.signal);
  expect(lines.bytes).toBe(0);
  return done;
}

const ofGroup = (positions: readonly string[], group: string) => positions.filter((text) => text.startsWith(group));

test('what cannot be stored is given again, the same messages in the same order, and is done once', async () => {
  const given: string[] = [];
  let calls = 0;
  const done = await pumpAll(50, async (batch) => {
    calls++;
    if (calls % 2 === 1 && calls < 4) throw new Refusal(503, 'storage_unavailable', 'away');
    given.push(...batch.map(({ position }) => position));
  });
  expect(done).toEqual(given);
  for (const group of ['a', 'b', 'c'])
    expect(ofGroup(done, group)).toEqual(Array.from({ length: 50 }, (_, n) => `${group}/${n}`));
});

test('a group whose tenant may send no more goes on in smaller steps and in order, and the others do not wait for it', async () => {
  let budget = 3;
  const timer = setInterval(() => {
    budget = 3;
  }, 20);
  const done = await pumpAll(20, async (batch) => {
    const slow = batch.filter(({ group }) => group === 'b').length;
    if (slow > budget) throw new Refusal(slow > 3 ? 413 : 429, 'rate_limited', 'slow', { retryAfterSeconds: 0.02 });
    budget -= slow;
  });
  clearInterval(timer);
  expect(ofGroup(done, 'b')).toEqual(Array.from({ length: 20 }, (_, n) => `b/${n}`));
  expect(done.findLastIndex((text) => !text.startsWith('b'))).toBeLessThan(
    done.findLastIndex((text) => text.startsWith('b')),
  );
});

const AWAY = new Refusal(503, 'storage_unavailable', 'away');

/** Groups `a` and `b`, of which what the test says takes long; the clock stands still but for that. */
function slowPump(
  intake: (group: 'a' | 'b' | 'both', batch: readonly string[]) => Promise<void>,
  onDone: () => void = () => {},
) {
  const lines = new MessageLines<IncomingMessage>();
  const done: string[] = [];
  const told: unknown[] = [];
  let now = 0;
  const abort = new AbortController();
  const pump = new Pump({
    lines,
    intake: async (batch) => {
      const groups = new Set(batch.map(({ group }) => group));
      const positions = batch.map(({ position }) => position);
      await intake(groups.size > 1 ? 'both' : (batch[0]!.group as 'a' | 'b'), positions);
    },
    onDone: (batch) => {
      done.push(...batch.map(({ position }) => position));
      onDone();
    },
    onTrouble: (error) => void told.push(error),
    standings: new Standings(),
    steadyMs: () => now,
  });
  const push = (group: string, n: number) => {
    lines.push(message(group, n));
    pump.wake();
  };
  const pass = (ms: number) => {
    now += ms;
    pump.wake();
  };
  for (const group of ['a', 'b']) push(group, 0);
  return { done, told, push, pass, abort, run: () => pump.run(abort.signal) };
}

/** Whatever can be done without anything from outside. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
}

test('the others do not wait for a group whose messages take long to be stored; each keeps its order, and the end waits for what is under way', async () => {
  let gate = Promise.withResolvers<void>();
  let isKnown = false;
  const { done, push, pass, abort, run } = slowPump(async (groups) => {
    // Whose messages take long is not known yet.
    if (!isKnown) pass(1_000);
    else if (groups !== 'a') await gate.promise;
    isKnown = true;
  });
  let hasEnded = false;
  const running = run().then(() => {
    hasEnded = true;
  });
  await settle();
  expect(done).toEqual(['a/0', 'b/0']);
  for (let n = 1; n < 4; n++) {
    for (const group of ['a', 'b']) push(group, n);
    await settle();
  }
  expect(done.slice(2)).toEqual(['a/1', 'a/2', 'a/3']);
  // It took long by itself, and stays so.
  pass(1_000);
  const first = gate;
  gate = Promise.withResolvers();
  first.resolve();
  push('a', 4);
  await settle();
  expect(ofGroup(done, 'a')).toHaveLength(5);
  expect(ofGroup(done, 'b')).toEqual(['b/0', 'b/1']);
  abort.abort();
  await settle();
  expect(hasEnded).toBe(false);
  gate.resolve();
  await running;
  expect(ofGroup(done, 'b')).toEqual(['b/0', 'b/1', 'b/2', 'b/3']);
});

test('what a group cannot store by itself is told and given again after a pause, and once it is quick it goes with the others', async () => {
  const tried: (readonly string[])[] = [];
  let isAway = true;
  const { done, told, push, pass, abort, run } = slowPump(async (groups, batch) => {
    if (tried.push(batch) === 1) pass(1_000);
    if (groups === 'b' && isAway) throw AWAY;
  });
  const running = run();
  const pushBoth = async (n: number) => {
    for (const group of ['a', 'b']) push(group, n);
    await settle();
  };
  await settle();
  await pushBoth(1);
  expect(tried).toEqual([['a/0', 'b/0'], ['a/1'], ['b/1']]);
  expect(told).toEqual([AWAY]);
  push('a', 2);
  await settle();
  // The other has been stored meanwhile, which says nothing of this one.
  expect(done.at(-1)).toBe('a/2');
  expect(told).toEqual([AWAY]);
  isAway = false;
  pass(5_000);
  await settle();
  expect(tried.slice(4)).toEqual([['b/1']]);
  push('b', 2);
  await settle();
  for (let n = 3; n < 20; n++) await pushBoth(n);
  expect(tried.slice(5).filter((batch) => batch.length > 1)[0]).toEqual(['a/11', 'b/11']);
  for (const group of ['a', 'b'])
    expect(ofGroup(done, group)).toEqual(Array.from({ length: 20 }, (_, n) => `${group}/${n}`));
  expect(told).toEqual([AWAY, null]);
  abort.abort();
  await running;
});

test('a group that holds the others up again goes by itself twice as long', async () => {
  const together: string[] = [];
  const { push, pass, abort, run } = slowPump(async (groups, [first]) => {
    if (groups !== 'both') return;
    together.push(first!);
    pass(1_000);
  });
  const running = run();
  await settle();
  for (let n = 1; n < 80; n++) {
    for (const group of ['a', 'b']) push(group, n);
    await settle();
  }
  expect(together).toEqual(['a/0', 'a/11', 'a/32', 'a/73']);
  abort.abort();
  await running;
});

test('a group that goes on by itself does not wait for the others either', async () => {
  const gate = Promise.withResolvers<void>();
  let isShut = false;
  const { done, push, pass, abort, run } = slowPump(async (groups) => {
    if (groups === 'both') pass(1_000);
    if (groups === 'b' && isShut) await gate.promise;
  });
  const running = run();
  await settle();
  for (let n = 1; n < 11; n++) {
    push('b', n);
    await settle();
  }
  // It goes with the others again, of which there are none.
  isShut = true;
  push('b', 11);
  await settle();
  for (let n = 1; n < 3; n++) {
    push('a', n);
    await settle();
  }
  expect(ofGroup(done, 'a')).toEqual(['a/0', 'a/1', 'a/2']);
  expect(ofGroup(done, 'b').at(-1)).toBe('b/10');
  gate.resolve();
  await settle();
  expect(ofGroup(done, 'b').at(-1)).toBe('b/11');
  abort.abort();
  await running;
});

test('what fails once a group that goes on by itself was stored is told as it is of the others, and the group goes on', async () => {
  const broken = new Error('The offset cannot be told.');
  let calls = 0;
  const { done, told, push, pass, abort, run } = slowPump(
    async (groups) => {
      if (groups === 'both') pass(1_000);
    },
    () => {
      if (++calls === 2) throw broken;
    },
  );
  const running = run();
  await settle();
  push('a', 1);
  await settle();
  expect(told).toEqual([broken]);
  push('a', 2);
  pass(1_000);
  await settle();
  expect(ofGroup(done, 'a')).toEqual(['a/0', 'a/1', 'a/2']);
  expect(told).toEqual([broken, null]);
  abort.abort();
  await running;
});

test('however long batches take and whatever is refused, those of a group go one at a time, in order, and each message is done once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const fate = fc.record({ ms: fc.constantFrom(0, 0, 10, 300, 900), status: fc.constantFrom(0, 0, 0, 429, 503) });
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 60 }), async (fates) => {
      const left = [...fates];
      const underWay = new Set<string>();
      const twice: string[] = [];
      const intake: Intake = async (batch) => {
        const groups = new Set(batch.map(({ group }) => group));
        twice.push(...[...groups].filter((group) => underWay.has(group)));
        for (const group of groups) underWay.add(group);
        const { ms, status } = left.shift() ?? { ms: 0, status: 0 };
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
        for (const group of groups) underWay.delete(group);
        if (status > 0) throw new Refusal(status, 'rate_limited', 'not now', { retryAfterSeconds: 1 });
      };
      let hasEnded = false;
      const pumping = pumpAll(30, intake).finally(() => {
        hasEnded = true;
      });
      while (!hasEnded) await vi.advanceTimersByTimeAsync(50);
      const done = await pumping;
      expect(twice).toEqual([]);
      for (const group of ['a', 'b', 'c'])
        expect(ofGroup(done, group)).toEqual(Array.from({ length: 30 }, (_, n) => `${group}/${n}`));
    }),
    { numRuns: 50 },
  );
});

test('held, it begins nothing; a batch gives every group its share, however much waits in one', async () => {
  const lines = new MessageLines<IncomingMessage>();
  const batches: (readonly IncomingMessage[])[] = [];
  const abort = new AbortController();
  const intake: Intake = async (batch) => void batches.push(batch);
  const pump = new Pump({
    lines,
    intake,
    onDone: () => abort.abort(),
    onTrouble: () => {},
    standings: new Standings(),
    steadyMs: () => 0,
  });
  pump.hold(true);
  const running = pump.run(abort.signal);
  for (let n = 0; n < 5_000; n++) lines.push(message('full', n));
  for (let n = 0; n < 10; n++) lines.push(message('few', n));
  pump.wake();
  await new Promise(setImmediate);
  expect(batches).toEqual([]);
  pump.hold(false);
  await running;
  expect(batches[0]!.filter(({ group }) => group === 'few')).toHaveLength(10);
  expect(batches[0]!.length).toBeLessThanOrEqual(1_000);
});

test('while nothing can be stored, the pauses grow to five seconds, whatever comes meanwhile', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines = new MessageLines<IncomingMessage>();
  const abort = new AbortController();
  const triedMs: number[] = [];
  const startMs = performance.now();
  const steadyMs = () => Math.round(performance.now() - startMs);
  const intake: Intake = async () => {
    // Without pauses it would go on for ever.
    if (triedMs.push(steadyMs()) > 50) abort.abort();
    throw new Error('away');
  };
  const pump = new Pump({ lines, intake, onDone: () => {}, onTrouble: () => {}, standings: new Standings(), steadyMs });
  lines.push(message('a', 0));
  const running = pump.run(abort.signal);
  for (let ms = 0; ms < 17_000; ms += 100) {
    await vi.advanceTimersByTimeAsync(100);
    pump.wake();
  }
  abort.abort();
  await running;
  expect(triedMs).toEqual([0, 200, 600, 1_400, 3_000, 6_200, 11_200, 16_200]);
});

test('a group that its tenant keeps from going on is told of, tried again within five seconds whatever it was told to wait, and told to go on once it does so as before', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines = new MessageLines<IncomingMessage>();
  const abort = new AbortController();
  const startMs = performance.now();
  const steadyMs = () => Math.round(performance.now() - startMs);
  const limited = new Refusal(429, 'rate_limited', 'slow', { retryAfterSeconds: 3_600 });
  const told: unknown[] = [];
  const triedMs: number[] = [];
  let done = 0;
  let isOver = false;
  const intake: Intake = async ({ length }) => {
    if (isOver) return;
    triedMs.push(steadyMs());
    // One passes now and then, and is followed by more at once.
    if (length > 1 || triedMs.length % 4 !== 0) throw limited;
  };
  const pump = new Pump({
    ...{ lines, intake, standings: new Standings(), steadyMs },
    onDone: ({ length }) => {
      done += length;
    },
    onTrouble: (error) => void told.push(error),
  });
  for (let n = 0; n < 30; n++) lines.push(message('a', n));
  const running = pump.run(abort.signal);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual([limited]);
  for (let ms = 0; ms < 30_000; ms += 1_000) await vi.advanceTimersByTimeAsync(1_000);
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(30);
  expect(Math.max(...triedMs.map((ms, i) => ms - (triedMs[i - 1] ?? 0)))).toBe(5_000);
  expect(new Set(told)).toEqual(new Set([limited]));
  isOver = true;
  for (let ms = 0; ms < 6_000; ms += 1_000) await vi.advanceTimersByTimeAsync(1_000);
  expect(done).toBe(30);
  expect(told.at(-1)).toBeNull();
  expect(told.filter((error) => error === null)).toHaveLength(1);
  abort.abort();
  await running;
});
