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
  await new Sweeper(async () => [2, 5], owner).runOnce();
  expect(taken).toEqual([2, 5]);
});

test('how long lanes were neglected is counted from the first look that found some to the first that found none', async () => {
  let sleeping = [1];
  const sweeper = new Sweeper(async () => sleeping, { hold: async () => {} } as unknown as LaneOwner);
  expect(sweeper.neglectedMs).toBe(0);
  await sweeper.runOnce();
  await time.pass(700);
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(700);
  sleeping = [];
  await sweeper.runOnce();
  expect(sweeper.neglectedMs).toBe(0);
});
