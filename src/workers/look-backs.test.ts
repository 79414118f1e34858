import { expect, test } from 'vitest';
import { LookBacks } from './look-backs.ts';

const AT_ONCE = { isInParts: false, isPartDue: () => true };

/** Reads every second for so long. @returns when it was from the start */
function startsOf(lookBacks: LookBacks, tookMs: number, seconds: number): number[] {
  const starts: number[] = [];
  for (let s = 0; s <= seconds; s++) {
    lookBacks.begin(s * 1_000, false, AT_ONCE, 0);
    if (lookBacks.depth !== 'start') continue;
    starts.push(s);
    lookBacks.took(tookMs);
  }
  return starts.slice(2);
}

test.each([
  [5, 4, [2, 3, 4]],
  [50, 25, [11, 21]],
  [400, 200, [61, 121, 181]],
  [6_000, 400, [121, 241, 361]],
])(
  'reading all lanes from the start, where it takes %i ms, takes half a percent of a worker’s time, or comes once a minute for at most a twentieth',
  (tookMs, seconds, starts) => {
    expect(startsOf(new LookBacks(), tookMs, seconds)).toEqual(starts);
  },
);

test('what is asked for while a read from the start is under way comes after it, at once', () => {
  const lookBacks = new LookBacks();
  lookBacks.begin(0, false, AT_ONCE, 0);
  expect(lookBacks.isOwed).toBe(false);
  lookBacks.startOver();
  lookBacks.begin(10, false, AT_ONCE, 0);
  expect([lookBacks.depth, lookBacks.isOwed]).toEqual(['start', false]);
  lookBacks.begin(20, false, AT_ONCE, 0);
  expect(lookBacks.depth).toBe('near');
});

test('a read that passed over tenants leaves owed what had to be, and nothing else', () => {
  const lookBacks = new LookBacks();
  lookBacks.begin(0, false, AT_ONCE, 0);
  lookBacks.passedOver();
  lookBacks.begin(500, false, AT_ONCE, 0);
  lookBacks.passedOver();
  expect([lookBacks.depth, lookBacks.isOwed]).toEqual(['near', true]);
  lookBacks.begin(1_000, false, AT_ONCE, 0);
  expect([lookBacks.depth, lookBacks.isOwed]).toEqual(['start', false]);
  lookBacks.begin(2_000, false, AT_ONCE, 0);
  lookBacks.passedOver();
  expect([lookBacks.depth, lookBacks.isOwed]).toEqual(['start', false]);
});
