import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LanePlay, type Story } from './fixtures/lane-play.ts';

const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.integer({ min: 0, max: 0xffffffff }),
  lanes: fc.integer({ min: 1, max: 3 }),
  endpoints: fc.integer({ min: 1, max: 5 }),
  rows: fc.integer({ min: 1, max: 60 }),
  maxInFlight: fc.integer({ min: 2, max: 12 }),
  bodies: fc.integer({ min: 2, max: 30 }),
  workers: fc.integer({ min: 1, max: 2 }),
  isRough: fc.boolean(),
  withTraffic: fc.boolean(),
  isBusy: fc.boolean(),
});

test('whatever comes in whatever order, every delivery ends, and none is sent twice by an owner that kept its lane', async () => {
  const property = fc.asyncProperty(story, async (given) => {
    expect(await new LanePlay(given).run()).toEqual([]);
  });
  await fc.assert(property, { numRuns: process.env.CI ? 2_000 : 500 });
});
