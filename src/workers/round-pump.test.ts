import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RoundPump } from './round-pump.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('a round that gets on does not stand still for what was before', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const pump = new RoundPump({ round: () => promise, onFailure: () => {} });
  pump.kick();
  vi.advanceTimersByTime(10_000);
  expect(pump.stalledMs).toBe(10_000);
  pump.gotOn();
  vi.advanceTimersByTime(3_000);
  expect(pump.stalledMs).toBe(3_000);
  resolve();
  await promise;
});
