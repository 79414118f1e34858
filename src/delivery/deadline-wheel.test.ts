import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createDeadlineWheel, type WheelEntry } from './deadline-wheel.ts';
import { standStill } from './fixtures/stand-still.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const entry = (onDeadline: () => void): WheelEntry => ({ deadlineAt: 0, wheelSlot: -1, wheelIndex: -1, onDeadline });

test('a deadline is called once, never early and at most a tick or two late', () => {
  const wheel = createDeadlineWheel(100);
  const delays = [0, 1, 99, 100, 101, 250, 5_000, 204_750, 204_800, 300_000, 1_000_000];
  const called = delays.map(() => [] as number[]);
  for (const [i, delay] of delays.entries())
    wheel.add(
      entry(() => called[i]!.push(performance.now())),
      delay,
    );
  const start = performance.now();
  vi.advanceTimersByTime(1_001_000);
  for (const [i, delay] of delays.entries()) {
    expect(called[i], String(delay)).toHaveLength(1);
    expect(called[i]![0]! - start, String(delay)).toBeGreaterThanOrEqual(delay);
    expect(called[i]![0]! - start, String(delay)).toBeLessThanOrEqual(delay + 200);
  }
  expect(wheel.size).toBe(0);
  wheel.stop();
});

test('what is removed is not called, and its neighbours still are', () => {
  const wheel = createDeadlineWheel(100);
  const called: number[] = [];
  const entries = Array.from({ length: 10 }, (_, i) => entry(() => called.push(i)));
  for (const one of entries) wheel.add(one, 500);
  for (const i of [0, 9, 4, 4]) wheel.remove(entries[i]!);
  expect(wheel.size).toBe(7);
  expect(wheel.entries()).toHaveLength(7);
  vi.advanceTimersByTime(1_000);
  expect(called.sort()).toEqual([1, 2, 3, 5, 6, 7, 8]);
  wheel.stop();
});

test('a deadline may remove another of the same moment, and add a new one', () => {
  const wheel = createDeadlineWheel(100);
  const called: string[] = [];
  const second = entry(() => called.push('second'));
  const third = entry(() => called.push('third'));
  wheel.add(
    entry(() => {
      wheel.remove(second);
      wheel.add(third, 100);
    }),
    100,
  );
  wheel.add(second, 100);
  vi.advanceTimersByTime(500);
  expect(called).toEqual(['third']);
  wheel.stop();
});

test('deadlines that passed while the event loop was blocked are all called', () => {
  let now = 0;
  const wheel = createDeadlineWheel(100, () => now);
  let called = 0;
  for (let delay = 0; delay < 10_000; delay += 50)
    wheel.add(
      entry(() => called++),
      delay,
    );
  now = 500_000;
  vi.advanceTimersByTime(101);
  expect(called).toBe(200);
  wheel.stop();
});

test('what came while the process stood still is read before anything is called late', async () => {
  vi.useRealTimers();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  const wheel = createDeadlineWheel(10);
  const seen: string[] = [];
  const waiting = entry(() => seen.push('too late'));
  wheel.add(waiting, 50);
  client.on('data', () => {
    wheel.remove(waiting);
    seen.push('answer');
  });
  try {
    await new Promise<void>((resolve) => peer.write('answer', resolve));
    // Stands still: until its time is over no callback runs.
    standStill(200);
    await vi.waitFor(() => expect(seen).not.toEqual([]), 30_000);
    expect(seen).toEqual(['answer']);
  } finally {
    wheel.stop();
    client.destroy();
    server.close();
  }
});

test('at each tick every entry that waits is called, also where some leave meanwhile', async () => {
  const wheel = createDeadlineWheel(100);
  onTestFinished(() => wheel.stop());
  const ticks = [0, 0, 0, 0];
  const entries = ticks.map((_, i) => {
    const own: WheelEntry = {
      ...entry(() => {}),
      onTick: () => {
        ticks[i]!++;
        if (i % 2 === 1) wheel.remove(own);
      },
    };
    wheel.add(own, 5_000);
    return own;
  });
  await vi.advanceTimersByTimeAsync(350);
  expect(ticks).toEqual([3, 1, 3, 1]);
  expect(new Set(wheel.entries())).toEqual(new Set([entries[0], entries[2]]));
});
