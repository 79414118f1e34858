import { expect, test } from 'vitest';
import { compareRuns } from './compare.ts';
import { quickLine, reportText } from './report.ts';
import type { RunResult } from './run-result.ts';

const run: RunResult = {
  at: '2026-11-26T10:00:00.000Z',
  commit: 'abc1234',
  quick: true,
  layout: 'split',
  bell: 'postgres',
  profiled: false,
  measuredSeconds: 8,
  machine: {
    cpu: 'a cpu',
    cores: 2,
    memoryMb: 1_000,
    platform: 'linux x64',
    node: 'v24',
    postgres: '18',
    embedded: true,
    loadAverageAtStart: 0.1,
    loadAverageAtEnd: 2,
  },
  limit: {
    dispatchPerSecond: 50_000,
    dispatchCpuUs: 20,
    dispatchCpuUsSamples: [20],
    requestPerSecond: 25_000,
    requestCpuUs: 40,
    spreadPerSecond: 30_000,
    spreadCpuUs: 30,
  },
  scenarios: [
    {
      name: 'batch100',
      title: 'batches',
      figures: { deliveries_per_s: 12_345.6, ratio: 3.4, statements_per_delivery: 0.02 },
      statements: [],
      problems: [],
    },
    { name: 'latency1000', title: 'latency', figures: { p50_ms: 6, p99_ms: 20.55 }, statements: [], problems: [] },
  ],
};
const broken: RunResult = {
  ...run,
  scenarios: [{ ...run.scenarios[0]!, figures: { ratio: 1.7, rss_mb: null }, problems: ['3 duplicates'] }],
};

test('two runs stand side by side, figure by figure, with the change from the first to the second', () => {
  const lines = compareRuns(run, broken).split('\n');
  const line = (figure: string) => lines.find((one) => one.includes(figure))?.replace(/ {2,}/g, ' | ');
  expect(line('batch100: ratio')).toBe('batch100: ratio | 3.4 | 1.7 | −50.0 %');
  expect(line('deliveries_per_s')).toBe('batch100: deliveries_per_s | 12,346 | –');
  expect(line('latency1000: p99_ms')).toBe('latency1000: p99_ms | 20.6 | –');
});

test('the last line of a quick run names its four figures, and says which are not known', () => {
  expect(quickLine(run)).toBe('ratio=3.40 deliveries_per_s=12346 p99_ms=20.6 statements_per_delivery=0.0200');
  expect(quickLine(broken)).toBe('ratio=1.70 deliveries_per_s=unknown p99_ms=unknown statements_per_delivery=unknown');
});

test('a report says beside each goal whether it is met, and what was not as it should be', () => {
  const lines = reportText(run).split('\n');
  const verdict = (start: string) =>
    lines
      .find((line) => line.startsWith(start))
      ?.split(' ')
      .at(-1);
  expect(verdict('batch100: CPU per delivery')).toBe('met');
  expect(verdict('latency1000: p50')).toBe('missed');
  expect(verdict('batch100: Redis commands')).toBe('measured');
  expect(reportText(run)).not.toContain('NOT as it should be');
  expect(reportText(broken)).toContain('NOT as it should be: batch100: 3 duplicates');
});
