import { expect, test } from 'vitest';
import { Lane } from './lane.ts';
import { StrandedLook } from './stranded-look.ts';

/** A look over lanes 1 and 2, each with one endpoint that has parked rows; statements end when they are told to. */
function makeLook() {
  const lanes = new Map([1, 2].map((lane) => [lane, new Lane({ lane, epoch: 1 }, 0)] as const));
  const statements: { readonly nums: readonly number[]; readonly end: (promoted: number | Error) => void }[] = [];
  const over: number[] = [];
  const promoteAll = (nums: readonly number[]) =>
    new Promise<number>((resolve, reject) => {
      statements.push({ nums, end: (result) => (typeof result === 'number' ? resolve(result) : reject(result)) });
    });
  const look = new StrandedLook({ store: { promoteAll }, lanes, onOver: (lane) => over.push(lane) });
  const parked = [1, 2].map((lane) => ({ lane, endpointNum: 10 * lane }));
  const start = (...explored: number[]) => look.start(parked, explored);
  const end = async (promoted: number | Error) => {
    statements.at(-1)!.end(promoted);
    await new Promise(setImmediate);
  };
  return { look, lanes, over, start, end, asked: () => statements.map(({ nums }) => nums) };
}

test('endpoints of explored lanes are looked through once, and not again soon after', async () => {
  const { look, start, end, asked } = makeLook();
  start(1);
  expect(look.isUnderWay).toBe(true);
  await end(0);
  expect(look.isUnderWay).toBe(false);
  start(1, 2);
  expect(asked()).toEqual([[10], [20]]);
});

test('lanes that are explored while a look is under way are explored again after it', async () => {
  const { start, end, over, asked } = makeLook();
  start(1);
  start(1, 2);
  await end(0);
  expect(over).toEqual([2]);
  start(...over);
  expect(asked()).toEqual([[10], [20]]);
});

test('a look that failed is told of once, and comes again', async () => {
  const { look, start, end, asked } = makeLook();
  start(1);
  await end(new Error('connection lost'));
  expect(() => look.throwFailure()).toThrow('connection lost');
  look.throwFailure();
  start(1);
  expect(asked()).toEqual([[10], [10]]);
});

test('what is asked for while a look of the same lane is under way is looked for after it', async () => {
  const { lanes, start, end, asked } = makeLook();
  start(1);
  // As after a parking that failed: what it parked, this look may have missed.
  lanes.get(1)!.strandedAt = Number.NEGATIVE_INFINITY;
  await end(0);
  start(1);
  expect(asked()).toEqual([[10], [10]]);
});

test('lanes whose rows were promoted read them', async () => {
  const { lanes, start, end } = makeLook();
  for (const lane of lanes.values()) lane.nextFetch(10, 0, 0);
  start(1);
  await end(1);
  expect([...lanes.values()].map((lane) => lane.mayFetch)).toEqual([true, false]);
});
