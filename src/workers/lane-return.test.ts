import { expect, test } from 'vitest';
import type { HeldLanes } from './held-lanes.ts';
import type { Lane } from './lane.ts';
import { LaneReturn, type LaneReturnOptions } from './lane-return.ts';

/** A lane that has nothing to do, and whoever gives it back. */
function stage(given: Partial<LaneReturnOptions['store']> = {}) {
  const lane = {
    number: 0,
    lease: { lane: 0, epoch: 1 },
    isIdle: true,
    isDraining: false,
    mayFetch: false,
    rowsInMemory: 0,
  };
  const log: string[] = [];
  const lanes = new Set([lane]);
  const forget = () => {
    log.push('forgotten');
    lanes.clear();
  };
  const held = { [Symbol.iterator]: () => lanes.values(), forget } as unknown as HeldLanes;
  const reader = { isBringing: false, mayBring: () => reader.isBringing };
  const list = { hasOpenParked: () => false, opensInMs: () => undefined, wakeInMs: () => Number.POSITIVE_INFINITY };
  const laneReturn = new LaneReturn({
    store: { nextDue: async () => new Map(), release: async () => void log.push('released'), ...given },
    held,
    desks: { list } as unknown as LaneReturnOptions['desks'],
    reader,
    endpoints: { saveGates: async () => void log.push('gates saved') },
    ring: (numbers) => log.push(`rung ${[...numbers].join()}`),
    ringIn: (number, delayMs) => log.push(`rung ${number} in ${delayMs}`),
  });
  return { lane: lane as { -readonly [K in keyof Lane]?: Lane[K] }, laneReturn, reader, log };
}

test('a lane that has nothing to do is given back when its gates are saved', async () => {
  const { laneReturn, log } = stage({ nextDue: async () => new Map([[0, 700]]) });
  await laneReturn.runOnce();
  expect(log).toEqual(['gates saved', 'released', 'rung 0 in 700', 'forgotten']);
});

test('a lane that gets something to do while the table is asked what is due next is kept', async () => {
  const wake = () => {
    staged.lane.isIdle = false;
    return new Map<number, number>();
  };
  const staged = stage({ nextDue: async () => wake() });
  await staged.laneReturn.runOnce();
  expect([staged.log, staged.lane.isLeaving]).toEqual([[], false]);
});

test('while rows are being parked that nobody here may know of yet, no lane leaves', async () => {
  const { laneReturn, reader, log } = stage();
  reader.isBringing = true;
  await laneReturn.runOnce();
  expect(log).toEqual([]);
  reader.isBringing = false;
  await laneReturn.runOnce();
  expect(log).toContain('released');
});

test('a lane whose release failed may be free already: it is let go of, and rung for whoever takes it', async () => {
  const { laneReturn, log } = stage({
    release: async () => {
      throw new Error('no answer');
    },
  });
  await expect(laneReturn.runOnce()).rejects.toThrow('no answer');
  expect(log).toEqual(['gates saved', 'forgotten', 'rung 0']);
});

test('a lane that is drained is given back, and rung at once, whether or not the table can say what is due next', async () => {
  const { lane, laneReturn, log } = stage({
    nextDue: async () => {
      throw new Error('canceling statement due to statement timeout');
    },
  });
  lane.isDraining = true;
  await laneReturn.runOnce();
  expect(log).toEqual(['gates saved', 'released', 'rung 0', 'forgotten']);
});
