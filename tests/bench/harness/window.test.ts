import { expect, test } from 'vitest';
import { figuresBetween, type Snapshot, withRatio } from './window.ts';

const sink = {
  requests: 0,
  delivered: 0,
  duplicates: 0,
  strangers: 0,
  verified: 0,
  forged: 0,
  openConnections: 3,
  connections: 3,
  resumedSessions: 0,
};
const load = { accepted: 0, requests: 0, repeated: 0, refused: [] };
const before: Snapshot = {
  atMs: 1_000,
  cpuMs: { api: 100, worker: 200 },
  sink,
  load,
  statements: [{ id: 'a', text: 'SELECT', calls: 10, rows: 0, execMs: 1 }],
  transactions: 5,
  walBytes: 1_000,
  redisCommands: null,
  postgresCpuMs: 50,
  redisCpuMs: null,
  loopDelay: {},
};
const after: Snapshot = {
  ...before,
  atMs: 3_000,
  cpuMs: { api: 110, worker: 230 },
  sink: { ...sink, delivered: 1_000 },
  load: { ...load, accepted: 500 },
  statements: [{ id: 'a', text: 'SELECT', calls: 60, rows: 0, execMs: 2 }],
  transactions: 105,
  walBytes: 101_000,
  postgresCpuMs: 70,
  loopDelay: { api: { p99Ms: 4, maxMs: 9 }, worker: null },
};

test('the CPU time of a delivery is that of every process of the system, in the window alone', () => {
  const figures = figuresBetween(before, after);
  expect(figures).toMatchObject({
    deliveries_per_s: 500,
    events_per_s: 250,
    cpu_us_per_delivery: 60,
    cpu_us_api: 10,
    cpu_us_worker: 30,
    cpu_us_postgres: 20,
    statements_per_delivery: 0.05,
    transactions_per_delivery: 0.1,
    redis_commands_per_delivery: null,
    wal_bytes_per_event: 200,
    loop_p99_ms_api: 4,
    loop_p99_ms_worker: null,
  });
  expect(withRatio(figures, 20)).toMatchObject({ ratio: 3, cpu_us_per_delivery: 60 });
});

test('where a part of the CPU time is not known, there is no whole and no ratio', () => {
  const figures = withRatio(figuresBetween({ ...before, postgresCpuMs: null }, { ...after, postgresCpuMs: null }), 20);
  expect(figures).toMatchObject({ ratio: null, cpu_us_per_delivery: null, cpu_us_api: 10 });
});

test('a process that was started within the window counts with all of its time', () => {
  const figures = figuresBetween({ ...before, cpuMs: { api: 100 } }, after, 'event');
  expect(figures).toMatchObject({ cpu_us_worker: 460, cpu_us_api: 20 });
  expect(withRatio(figures, 20)).toEqual(figures);
});
