import { expect, onTestFinished, test, vi } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import type { IncomingMessage, Intake } from './intake.ts';
import { MessageLines } from './message-lines.ts';
import { Pump } from './pump.ts';

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
    nowMs: () => performance.now(),
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

test('held, it begins nothing; a batch gives every group its share, however much waits in one', async () => {
  const lines = new MessageLines<IncomingMessage>();
  const batches: (readonly IncomingMessage[])[] = [];
  const abort = new AbortController();
  const intake: Intake = async (batch) => void batches.push(batch);
  const pump = new Pump({ lines, intake, onDone: () => abort.abort(), onTrouble: () => {}, nowMs: () => 0 });
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
  const nowMs = () => Math.round(performance.now() - startMs);
  const intake: Intake = async () => {
    // Without pauses it would go on for ever.
    if (triedMs.push(nowMs()) > 50) abort.abort();
    throw new Error('away');
  };
  const pump = new Pump({ lines, intake, onDone: () => {}, onTrouble: () => {}, nowMs });
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
