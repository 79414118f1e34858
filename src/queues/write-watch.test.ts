import { expect, test } from 'vitest';
import { WriteWatch } from './write-watch.ts';

const away = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' });

test.each([
  "OOM command not allowed when used memory > 'maxmemory'.",
  "ERR Error running script: @user_script:1: OOM command not allowed when used memory > 'maxmemory'.",
  "READONLY You can't write against a read only replica.",
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  'NOREPLICAS Not enough good replicas to write.',
])('a refused write sounds the alarm, and a write that is taken ends it: %s', (message) => {
  const watch = new WriteWatch(() => 0);
  expect(watch.refuses).toBe(false);
  watch.failed(new Error(message));
  watch.failed(away);
  expect(watch.refuses).toBe(true);
  watch.took();
  expect(watch.refuses).toBe(false);
});

test('a Redis that is away refuses nothing', () => {
  const watch = new WriteWatch(() => 0);
  for (const error of [away, undefined, 'OOM']) watch.failed(error);
  expect(watch.refuses).toBe(false);
});

test('a refusal counts for a minute: where nothing is written any more, nobody knows', () => {
  let nowMs = 0;
  const watch = new WriteWatch(() => nowMs);
  watch.failed(new Error('OOM command not allowed'));
  nowMs = 59_999;
  expect(watch.refuses).toBe(true);
  nowMs = 60_000;
  expect(watch.refuses).toBe(false);
});
