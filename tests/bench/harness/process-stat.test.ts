import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parsePeakMb, parseProcessStat, treeCpuMs } from './process-stat.ts';

const line = (pid: number, parent: number, user: number, system: number, endedUser = 0, endedSystem = 0) =>
  `${pid} (a (strange) name) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${user} ${system} ${endedUser} ${endedSystem} 20 0 1 0 100 1 1`;

test('the times of a process are read past a name with spaces and parentheses', () => {
  expect(parseProcessStat(line(42, 7, 12, 3, 5, 6))).toEqual({ pid: 42, parent: 7, cpuMs: 150, endedChildrenMs: 110 });
  expect(() => parseProcessStat('nonsense')).toThrow('not a line');
  expect(() => parseProcessStat('42 (short) S 7')).toThrow('not a line');
});

test('a tree counts children that live and children that have ended, and nobody else', () => {
  const all = [line(10, 1, 1, 1, 100, 100), line(11, 10, 2, 2), line(12, 11, 3, 3), line(20, 1, 500, 500)];
  expect(treeCpuMs(10, all.map(parseProcessStat))).toBe((2 + 200 + 4 + 6) * 10);
  expect(() => treeCpuMs(99, [])).toThrow('has ended');
});

test.runIf(process.platform === 'linux')('this process reads as itself', () => {
  const stat = parseProcessStat(readFileSync('/proc/self/stat', 'utf8'));
  expect([stat.pid, stat.parent]).toEqual([process.pid, process.ppid]);
  expect(parsePeakMb(readFileSync('/proc/self/status', 'utf8'))).toBeGreaterThan(10);
});
