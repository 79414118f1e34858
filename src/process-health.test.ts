import type pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProcessHealth } from './process-health.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const healthOf = (query: () => Promise<unknown>) => new ProcessHealth({ query } as unknown as pg.Pool);
const answers = async () => ({ rows: [{ is_read_only: false }] });

test('a process is live until a part of it says that it is stuck', () => {
  const health = healthOf(answers);
  let problem: string | null = null;
  health.addLiveness(() => problem);
  health.sawPostgres();
  expect(health.live()).toEqual({ problems: [] });
  problem = 'stuck';
  expect(health.live()).toEqual({ problems: ['stuck'] });
});

test('while Postgres is away a process is not restarted for what it cannot do', async () => {
  const health = healthOf(() => Promise.reject(new Error('away')));
  health.addLiveness(() => 'stuck');
  expect(health.live().problems).toEqual([]);
  health.sawPostgres();
  expect(health.live().problems).toEqual(['stuck']);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(health.live().problems).toEqual([]);
  expect((await health.ready()).problems).toEqual(['postgres does not answer', 'stuck']);
});

test('a process is ready when Postgres answers and nothing is wrong', async () => {
  const health = healthOf(answers);
  health.addReadiness(() => null);
  expect(await health.ready()).toEqual({ problems: [] });
  health.addReadiness(() => 'Redis evicts keys');
  health.addLiveness(() => 'stuck');
  expect([...(await health.ready()).problems].sort()).toEqual(['Redis evicts keys', 'stuck']);
});

test('a Postgres that does not answer holds the probe up for a second at most', async () => {
  const probe = healthOf(() => new Promise(() => {})).ready();
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await probe).problems).toEqual(['postgres does not answer']);
});

test('a process whose Postgres takes no writes is not ready', async () => {
  const health = healthOf(async () => ({ rows: [{ is_read_only: true }] }));
  expect((await health.ready()).problems).toEqual(['postgres is read-only']);
});

test('however many ask at once or one after the other, Postgres is asked once in a quarter of a second', async () => {
  let asked = 0;
  const health = healthOf(() => {
    asked++;
    return answers();
  });
  await Promise.all(Array.from({ length: 50 }, () => health.ready()));
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(249);
  await health.ready();
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  await health.ready();
  expect(asked).toBe(2);
});

test('many who ask while Postgres does not answer wait for one question, and what is wrong with the process itself is told at once', async () => {
  let asked = 0;
  let isAway = true;
  const health = healthOf(() => {
    asked++;
    return isAway ? new Promise(() => {}) : answers();
  });
  const first = health.ready();
  await vi.advanceTimersByTimeAsync(500);
  const second = health.ready();
  await vi.advanceTimersByTimeAsync(500);
  for (const { problems } of await Promise.all([first, second])) expect(problems).toEqual(['postgres does not answer']);
  expect(asked).toBe(1);
  let problem: string | null = 'stuck';
  health.addReadiness(() => problem);
  expect((await health.ready()).problems).toEqual(['postgres does not answer', 'stuck']);
  problem = null;
  expect(asked).toBe(1);
  isAway = false;
  await vi.advanceTimersByTimeAsync(250);
  expect((await health.ready()).problems).toEqual([]);
});
