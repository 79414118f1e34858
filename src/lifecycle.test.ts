import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { periodic, type Service, startServices, stopServices } from './lifecycle.ts';

const unstopped = new AbortController().signal;
let told: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  told = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function serviceOf(
  name: string,
  given: { start?: () => Promise<void>; stop?: (deadlineMs: number) => Promise<void> } = {},
): Service {
  return {
    name,
    start: async () => {
      told.push(`start ${name}`);
      await given.start?.();
    },
    stop: async (deadlineMs) => {
      told.push(`stop ${name}`);
      await given.stop?.(deadlineMs);
    },
  };
}

const bad = () => Promise.reject(new Error('bad'));
const hangs = () => new Promise<void>(() => {});

test('services start in order and stop in reverse', async () => {
  const services = [serviceOf('a'), serviceOf('b')];
  await startServices(services, 1_000, unstopped);
  await stopServices(services, 1_000, () => {});
  expect(told).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('when one does not start, it and those before it are stopped, later ones are not started, and the failure is thrown', async () => {
  const services = [serviceOf('a'), serviceOf('b', { start: bad }), serviceOf('c')];
  await expect(startServices(services, 1_000, unstopped)).rejects.toThrow('bad');
  expect(told).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('told to stop while one starts, it does not wait for that one: it and those before it are stopped, later ones are not started', async () => {
  const stop = new AbortController();
  let fail = (_: Error) => {};
  const start = () => new Promise<void>((_, reject) => (fail = reject));
  const starting = startServices([serviceOf('a'), serviceOf('b', { start }), serviceOf('c')], 1_000, stop.signal);
  await vi.advanceTimersByTimeAsync(0);
  stop.abort();
  expect(await starting).toBe(false);
  expect(told).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  // What it stood on is gone by now: nobody is to hear of that.
  fail(new Error('bad'));
});

test('told to stop before they start, none is started', async () => {
  expect(await startServices([serviceOf('a')], 1_000, AbortSignal.abort())).toBe(false);
  expect(told).toEqual([]);
});

test('one that fails to stop is reported and does not keep the others', async () => {
  const failures: string[] = [];
  await stopServices([serviceOf('a'), serviceOf('b', { stop: bad })], 1_000, (name) => failures.push(name));
  expect([told, failures]).toEqual([['stop b', 'stop a'], ['b']]);
});

test('one that hangs is left at the deadline, and those after it still get a moment', async () => {
  const failures: string[] = [];
  let leftMs = 0;
  const first = serviceOf('a', {
    stop: async (deadlineMs) => {
      leftMs = deadlineMs;
    },
  });
  const stopping = stopServices([first, serviceOf('b', { stop: hangs })], 1_000, (name) => failures.push(name));
  await vi.advanceTimersByTimeAsync(1_000);
  await stopping;
  expect(failures).toEqual(['b']);
  expect(leftMs).toBeGreaterThan(0);
});

test('those of one stage start in order and stop together: one that hangs takes none of the time of another, and what started before them stops after', async () => {
  const failures: string[] = [];
  let leftMs = 0;
  const lanes = serviceOf('lanes', {
    stop: async (deadlineMs) => {
      leftMs = deadlineMs;
    },
  });
  const stages = [serviceOf('pool'), [lanes, serviceOf('housekeeping', { stop: hangs })], serviceOf('http')];
  await startServices(stages, 1_000, unstopped);
  expect(told.splice(0)).toEqual(['start pool', 'start lanes', 'start housekeeping', 'start http']);
  const stopping = stopServices(stages, 1_000, (name) => failures.push(name));
  await vi.advanceTimersByTimeAsync(999);
  expect(told).toEqual(['stop http', 'stop lanes', 'stop housekeeping']);
  expect(leftMs).toBe(1_000);
  await vi.advanceTimersByTimeAsync(1);
  await stopping;
  expect([told.at(-1), failures]).toEqual(['stop pool', ['housekeeping']]);
});

test('when one of a stage does not start, those before it are stopped, in it and before it', async () => {
  const stages = [serviceOf('a'), [serviceOf('b'), serviceOf('c', { start: bad }), serviceOf('d')]];
  await expect(startServices(stages, 1_000, unstopped)).rejects.toThrow('bad');
  expect(told).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop c', 'stop a']);
});

test('a duty without an end hears that it is to stop', async () => {
  const service = periodic(
    'duty',
    100,
    async (signal) => {
      while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
      told.push('heard');
    },
    () => {},
  );
  await service.start();
  await vi.advanceTimersByTimeAsync(50);
  const stopping = service.stop(1_000);
  await vi.advanceTimersByTimeAsync(10);
  await stopping;
  expect(told).toEqual(['heard']);
});

test('a duty is done again after a pause, never twice at once, and a failure does not end it', async () => {
  let running = 0;
  let most = 0;
  let rounds = 0;
  const failures: string[] = [];
  const runOnce = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 250));
    running--;
    if (++rounds === 2) throw new Error('bad');
  };
  const service = periodic('duty', 100, runOnce, (name) => failures.push(name));
  await service.start();
  await vi.advanceTimersByTimeAsync(1_900);
  expect([rounds, most, failures]).toEqual([5, 1, ['duty']]);
});

test('a duty that is stopped ends its round first and does not come again', async () => {
  let rounds = 0;
  const runOnce = async () => {
    await new Promise((resolve) => setTimeout(resolve, 250));
    rounds++;
  };
  const service = periodic('duty', 100, runOnce, () => {});
  await service.start();
  await vi.advanceTimersByTimeAsync(50);
  let isStopped = false;
  void service.stop(1_000).then(() => {
    isStopped = true;
  });
  await vi.advanceTimersByTimeAsync(100);
  expect(isStopped).toBe(false);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([isStopped, rounds]).toEqual([true, 1]);
});
