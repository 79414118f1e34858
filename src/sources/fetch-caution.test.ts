import { expect, test } from 'vitest';
import { InflationError } from '../brokers/guard-inflation.ts';
import { FetchCaution } from './fetch-caution.ts';

test('batches are fetched one by one for a minute after an answer was too large, and for another after each', () => {
  let now = 0;
  const caution = new FetchCaution(() => now);
  expect(caution.isCareful).toBe(false);
  const error = new InflationError();
  expect(caution.refuse(error, false)).toBe(error);
  for (const at of [0, 59_999]) {
    now = at;
    expect(caution.isCareful).toBe(true);
  }
  expect(caution.refuse(error, true).message).toMatch(/set the offset of the group past it/);
  now = 100_000;
  expect(caution.isCareful).toBe(true);
  now = 119_999;
  expect(caution.isCareful).toBe(false);
});
