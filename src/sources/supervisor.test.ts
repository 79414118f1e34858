import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { OpenSource } from '../store/sources.ts';
import { type SourceWork, Supervisor } from './supervisor.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const sourceOf = (id: string, more: Partial<OpenSource> = {}) =>
  ({ num: Number(id), id, name: `source ${id}`, paused: false, version: 1n, ...more }) as OpenSource;

/** A supervisor of sources that do as told, and what was seen of them. */
function rig(works: Readonly<Record<string, Partial<SourceWork> & { run?: (signal: AbortSignal) => Promise<void> }>>) {
  const seen = {
    begun: [] as string[],
    paused: [] as string[],
    closed: [] as string[],
    changes: [] as string[],
    reports: 0,
    failures: 0,
  };
  let sources: readonly OpenSource[] = [];
  const begin = ({ id }: OpenSource): SourceWork => {
    seen.begun.push(id);
    const { run = untilAborted, ...rest } = works[id] ?? {};
    return {
      consumer: {
        run,
        pause: () => void seen.paused.push(id),
        resume: () => {},
        state: () => ({ kind: 'running', error: null, lag: [] }),
      },
      counts: () => ({ events: 0, duplicates: 0, rejected: 0 }),
      runOnce: async () => {},
      close: async () => void seen.closed.push(id),
      ...rest,
    };
  };
  const supervisor = new Supervisor({
    load: async () => sources,
    begin,
    report: async () => void seen.reports++,
    onChange: (_source, { kind, error }) => void seen.changes.push(`${kind} ${error}`),
    onFailure: () => void seen.failures++,
  });
  const look = (...now: readonly OpenSource[]) => {
    sources = now;
    return supervisor.runOnce();
  };
  return { supervisor, seen, look };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

test('a broker that takes its time over dead letters holds up no pause, no beginning, no end and no report', async () => {
  const slow = Promise.withResolvers<void>();
  const { supervisor, seen, look } = rig({ 1: { runOnce: () => slow.promise } });
  await look(sourceOf('1'), sourceOf('2'));
  const working = supervisor.runWork();
  await look(sourceOf('1'), sourceOf('2', { paused: true }), sourceOf('3'));
  expect(seen).toMatchObject({ begun: ['1', '2', '3'], paused: ['2'], reports: 2 });
  await look(sourceOf('1'));
  expect(seen.closed).toEqual(['2', '3']);
  slow.resolve();
  await working;
});

test('what a source has opened while it ended is closed again, and nothing more is done for it', async () => {
  const slow = Promise.withResolvers<void>();
  let rounds = 0;
  const { supervisor, seen, look } = rig({
    1: { runOnce: () => slow.promise },
    2: { runOnce: async () => void rounds++ },
  });
  await look(sourceOf('1'), sourceOf('2'));
  const working = supervisor.runWork();
  await look();
  slow.resolve();
  await working;
  expect(seen.closed.sort()).toEqual(['1', '1', '2']);
  expect(rounds).toBe(0);
});

test('what a source does, and each error that keeps it, is told once until it does something else', async () => {
  let state = { kind: 'running' as 'running' | 'failing', error: null as string | null, lag: [] };
  const consumer = { run: untilAborted, pause: () => {}, resume: () => {}, state: () => state };
  const { seen, look } = rig({ 1: { consumer } });
  for (const error of [null, 'lost', 'lost', 'wrong password', 'lost', null, 'lost']) {
    state = { kind: error === null ? 'running' : 'failing', error, lag: [] };
    await look(sourceOf('1'));
  }
  const failing = ['failing lost', 'failing wrong password'];
  expect(seen.changes).toEqual(['running null', ...failing, 'running null', 'failing lost']);
  for (let port = 0; port < 20; port++) {
    state = { kind: 'failing', error: `no answer at port ${port}`, lag: [] };
    await look(sourceOf('1'));
  }
  expect(seen.changes).toHaveLength(14);
});

test('a consumer that does not end is left behind, and the others are looked after', async () => {
  const { seen, look } = rig({ 1: { run: () => new Promise(() => {}) } });
  await look(sourceOf('1'));
  const looking = look(sourceOf('2'));
  await vi.advanceTimersByTimeAsync(11_000);
  await looking;
  expect(seen).toMatchObject({ begun: ['1', '2'], closed: ['1'], failures: 1 });
});

test('a source that was changed is ended and begun anew, and one that is paused is so from the beginning', async () => {
  const { seen, look } = rig({});
  await look(sourceOf('1'), sourceOf('2', { paused: true }));
  expect(seen.paused).toEqual(['2']);
  await look(sourceOf('1', { version: 2n }), sourceOf('2', { paused: true }));
  expect(seen).toMatchObject({ begun: ['1', '2', '1'], closed: ['1'] });
});

test('work of a source that fails is told and keeps no other source from its own', async () => {
  let rounds = 0;
  const { supervisor, seen, look } = rig({
    1: { runOnce: () => Promise.reject(new Error('away')) },
    2: { runOnce: async () => void rounds++ },
  });
  await look(sourceOf('1'), sourceOf('2'));
  await supervisor.runWork();
  expect([seen.failures, rounds]).toEqual([1, 1]);
});
