import { expect, test } from 'vitest';
import { START } from '../store/mailbox.ts';
import { StartWalk } from './start-walk.ts';

const UNTIL_MS = Date.UTC(2026, 10, 30);

/**
 * Reads every part, which takes so long by how much it takes in, in ms of due times; one that would take longer than the limit fails.
 * @returns the parts that were read
 */
function walk(tookMs: (spanMs: number) => number, limitMs = 10_000): { from: number; until: number; tookMs: number }[] {
  const all = new StartWalk(UNTIL_MS);
  const parts: { from: number; until: number; tookMs: number }[] = [];
  while (!all.isOver && parts.length < 10_000) {
    const { after, untilMs } = all.part;
    const ms = tookMs(untilMs - Math.max(after.dueAtMs, UNTIL_MS - 7_200_000));
    all.took(Math.min(ms, limitMs), 1);
    if (ms > limitMs) all.failed();
    else {
      all.onPartAdmitted(null);
      parts.push({ from: after.dueAtMs, until: untilMs, tookMs: ms });
    }
  }
  return parts;
}

test.each([
  ['nothing is dear', () => 2, 10],
  ['the last two hours are', (spanMs: number) => 2 + Math.max(0, spanMs) / 500, 60],
  ['they are very dear', (spanMs: number) => 2 + Math.max(0, spanMs) / 5, 10_000],
] as const)('the parts are all of it, without a gap, the latest first: where %s', (_where, tookMs, most) => {
  const parts = walk(tookMs);
  expect(parts[0]!.until).toBe(UNTIL_MS);
  expect(parts.at(-1)!.from).toBe(0);
  for (const [i, { until }] of parts.slice(1).entries()) expect(until).toBe(parts[i]!.from);
  expect(parts.length).toBeLessThan(most);
});

test('where old rows are dear to step over a part takes about half a second', () => {
  const parts = walk((spanMs) => 2 + Math.max(0, spanMs) / 500).slice(3, -5);
  expect(Math.max(...parts.map(({ tookMs }) => tookMs))).toBeLessThan(1_000);
});

test('a part of which there is more goes on behind its last row, and one that failed begins anew, smaller', () => {
  const all = new StartWalk(UNTIL_MS);
  const last = { ...START, dueAtMs: UNTIL_MS - 9_000 };
  all.onPartAdmitted(last);
  expect(all.part).toEqual({ after: last, untilMs: UNTIL_MS });
  all.failed();
  expect(all.part).toEqual({ after: { ...START, dueAtMs: UNTIL_MS - 937.5 }, untilMs: UNTIL_MS });
});

test('what the parts took leaves out what each statement takes, and what it took for other lanes', () => {
  const all = new StartWalk(UNTIL_MS);
  for (const [ms, lanes] of [
    [10, 2],
    [110, 2],
    [30, 1],
  ] as const) {
    all.took(ms, lanes);
  }
  expect(all.tookMs).toBe(0 + 50 + 20);
});
