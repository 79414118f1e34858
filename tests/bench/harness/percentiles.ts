/** In the unit of the samples; null when there are none. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** By nearest rank: the least sample that at least so many per cent of all are not above. The samples are sorted in place. */
export function percentiles(samples: Float64Array): Percentiles {
  samples.sort();
  const at = (share: number) =>
    samples.length === 0 ? null : samples[Math.max(0, Math.ceil(share * samples.length - 1e-9) - 1)]!;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}
