import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Restarting, type Startable } from './restarting.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One whose start fails or succeeds as it is told. */
class Fake implements Startable {
  readonly ready = Promise.withResolvers<void>();
  readonly waitUntilReady = () => this.ready.promise;
  readonly close = vi.fn(async () => {});
}

function play() {
  const built: Fake[] = [];
  const errors: Error[] = [];
  const used: Fake[] = [];
  const build = () => {
    built.push(new Fake());
    return built.at(-1)!;
  };
  const use = async (fake: Fake) => void used.push(fake);
  return { built, errors, used, it: new Restarting({ build, use, onError: (error) => errors.push(error) }) };
}

test('what fails to start is closed and built anew, as often as it takes, with a pause that leaves the process free', async () => {
  const { built, errors, used, it } = play();
  for (let i = 0; i < 3; i++) {
    built[i]!.ready.reject(new Error(`start ${i}`));
    await vi.advanceTimersByTimeAsync(900);
    expect(built).toHaveLength(i + 1);
    expect(built[i]!.close).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(100);
    expect(built).toHaveLength(i + 2);
  }
  built[3]!.ready.resolve();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(errors.map(({ message }) => message)).toEqual(['start 0', 'start 1', 'start 2']);
  expect(used).toEqual([built[3]]);
  expect(it.current).toBe(built[3]);
  expect(built).toHaveLength(4);
});

test('after the close nothing is built or used any more', async () => {
  const failing = play();
  failing.built[0]!.ready.reject(new Error('start'));
  await vi.advanceTimersByTimeAsync(500);
  await failing.it.close();
  const starting = play();
  await starting.it.close();
  starting.built[0]!.ready.resolve();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(failing.built).toHaveLength(1);
  expect(starting.built[0]!.close).toHaveBeenCalledOnce();
  expect(starting.used).toEqual([]);
});
