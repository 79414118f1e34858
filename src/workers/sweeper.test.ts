import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualTime } from './fixtures/virtual-time.ts';
import type { LaneOwner } from './lane-owner.ts';
import { Sweeper } from './sweeper.ts';

let time: VirtualTime;

beforeEach(() => {
  time = new VirtualTime();
  time.install();
});

afterEach(() => time.restore());

test('lanes that have due work and no owner are taken, and a round does not wait for them to be given back', async () => {
  const taken: number[] = [];
  const owner = {
    hold: (lane: number) => {
      taken.push(lane);
      return new Promise<void>(() => {});
    },
  } as unknown as LaneOwner;
  const found = [2, 5].map((lane) => ({ lane, epoch: 1 }));
  await new Sweeper(async () => found, owner).runOnce();
  expect(taken).toEqual([2, 5]);
});

test('a lane is neglected from the first look that found it asleep until somebody has had it', async () => {
  let sleeping = [{ lane: 1, epoch: 7 }];
  const sweeper = new Sweeper(async () => sleeping, { hold: async () => {} } as unknown as LaneOwner);
  expect(sweeper.neglectedMs).toBe(0);
  await sweeper.runOnce();
  await time.pass(700);
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(700);
  sleeping = [{ lane: 1, epoch: 8 }];
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(0);
  await time.pass(300);
  sleeping = [{ lane: 2, epoch: 3 }];
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(0);
  sleeping = [];
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(0);
});
