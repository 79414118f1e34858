import { expect, test } from 'vitest';
import { percentiles } from './percentiles.ts';

test('percentiles are by nearest rank, whatever the order of the samples', () => {
  const samples = Float64Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
  expect(percentiles(samples)).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999, max: 1_000 });
});

test('of one sample every percentile is that sample, and of none there is none', () => {
  expect(percentiles(Float64Array.of(7))).toEqual({ p50: 7, p90: 7, p99: 7, p999: 7, max: 7 });
  expect(percentiles(new Float64Array(0))).toEqual({ p50: null, p90: null, p99: null, p999: null, max: null });
});
