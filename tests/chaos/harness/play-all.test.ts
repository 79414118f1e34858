import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { scenarios } from '../scenarios/all.ts';
import { ciSubset } from './ci-subset.ts';
import { Leftovers } from './leftovers.ts';
import { playAll } from './play-all.ts';
import type { Recorded } from './results.ts';
import type { Scenario } from './scenario.ts';

const named = (id: string): Scenario => ({ id, title: id, rows: [], expected: '', steps: [] });
const passed = { passed: true, recoveryMs: 1, lost: 0, duplicates: 0, events: 1 };

test('after a scenario that fails, throws or cannot be played the others are played, and each result is told at once', async () => {
  const told: Recorded[] = [];
  const lines: string[] = [];
  const results = await playAll(['a', 'b', 'c', 'd'].map(named), {
    whyNot: ({ id }) => (id === 'c' ? 'no such server' : null),
    play: async ({ id }) => {
      expect(told.map(({ scenario }) => scenario.id)).toEqual(['a', 'b', 'c', 'd'].slice(0, told.length));
      if (id === 'b') throw new Error('the machine broke');
      return { ...passed, passed: id === 'd' };
    },
    clear: () => ['a process'],
    onResult: (result) => told.push(result),
    isStopped: () => false,
    write: (line) => lines.push(line),
  });
  expect(results.map(({ result, skipped }) => result?.passed ?? skipped)).toEqual([
    false,
    false,
    'no such server',
    true,
  ]);
  expect(told).toEqual(results);
  expect(lines.filter((line) => line.startsWith('left over'))).toHaveLength(4);
  expect(lines.join('\n')).toContain('b: the machine broke');
});

test('what a scenario leaves is found and cleared away: processes, folders, and ports are told', async () => {
  const before = process.env.TMPDIR;
  const other = spawn('sleep', ['60']);
  const leftovers = new Leftovers();
  onTestFinished(() => {
    leftovers.close(false);
    other.kill();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  expect(leftovers.clear(false)).toEqual([]);
  const child = spawn('sleep', ['60']);
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  const folder = mkdtempSync(join(tmpdir(), 'left-'));
  mkdirSync(join(folder, 'within'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const found = leftovers.clear(false);
  server.close();
  expect(found).toHaveLength(3);
  expect(await exited).toEqual([null, 'SIGKILL']);
  expect([existsSync(folder), other.exitCode]).toEqual([false, null]);
});

test('isolation, order, the rate limit, slow Postgres, and crashes of every part are among what runs with the tests', () => {
  const ids = ciSubset(scenarios).map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(['isolation', 'order', 'rate-limit', 'F56', 'F02', 'F05', 'F11', 'F45']));
});
