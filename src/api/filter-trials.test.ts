import { expect, test } from 'vitest';
import { MAX_STEPS } from '../routing/explain-cost.ts';
import { FilterTrials } from './filter-trials.ts';

function rig() {
  let now = 0;
  const trials = new FilterTrials(() => now);
  const isTried = (tenantNum: number, steps: number) => {
    try {
      trials.pay(tenantNum, steps);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ status: 429, code: 'too_many_trials', retryAfterSeconds: 1 });
      return false;
    }
  };
  return { isTried, pass: (ms: number) => (now += ms) };
}

test.each([MAX_STEPS, 50_000, 300])(
  'G4: trials of a tenant that take %i steps each take a third of a process at most, however many it asks for',
  (steps) => {
    const { isTried, pass } = rig();
    let taken = 0;
    for (let ms = 0; ms < 1_000; ms++, pass(1)) {
      for (let asked = 0; asked < 60_000; asked += steps) if (isTried(1, steps)) taken += steps;
    }
    expect(taken).toBeGreaterThanOrEqual(8_000_000);
    expect(taken).toBeLessThanOrEqual(8_000_000 + 2 * 2_000_000);
  },
);

test('usual trials go on beside costly ones, and those of other tenants as if there were none', () => {
  const { isTried, pass } = rig();
  let refused = 0;
  for (let ms = 0; ms < 1_000; ms++, pass(1)) {
    if (!isTried(1, MAX_STEPS)) refused++;
    expect(isTried(1, 300)).toBe(true);
  }
  expect(refused).toBeGreaterThan(900);
  expect([isTried(2, MAX_STEPS), isTried(2, MAX_STEPS), isTried(2, MAX_STEPS)]).toEqual([true, true, false]);
});
