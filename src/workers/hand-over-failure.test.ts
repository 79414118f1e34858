import { expect, test } from 'vitest';
import { HandOver, type HandOverOptions } from './hand-over.ts';
import { HeldRows } from './held-rows.ts';

test('where taking a commit in fails midway, each endpoint gets its places back, once, and nothing of it is awaited any more', () => {
  const held = new HeldRows();
  const looks: number[] = [];
  const marked: number[] = [];
  const lane = { number: 0, takesFromMemory: true, isDraining: false, isLeaving: false, lookBack: () => looks.push(0) };
  const desk = (num: number) => {
    const target = { maxInFlight: 4 };
    const empty = { waiting: [], lines: { waiting: 0 }, hasParked: false, flood: null, wasFlooded: num === 3 };
    const own = { expected: 0, isOpen: () => true, markParked: () => marked.push(num) };
    return { num, version: 1, target, ...empty, ...own };
  };
  const desks = new Map([1, 2, 3].map((num) => [num, desk(num)]));
  let asked = 0;
  const memory = { roomForNew: 10, ofEndpoint: () => 10, mayTake: () => true };
  const handOver = new HandOver({
    desks: { list: desks, memory, held },
    lanes: {
      get: () => {
        if (++asked === 5) throw new Error('planted');
        return lane;
      },
    },
    nowMs: () => 0,
    fence: () => {},
    onChange: () => {},
    onFailure: () => {},
  } as unknown as HandOverOptions);
  const deliveries = [1, 2, 3].map((endpointNum) => ({
    eventUuid: '01890a5d-ac96-774b-bcce-b302099a8057',
    endpointNum,
    tenantNum: 1,
    lane: 0,
    orderKey: null,
  }));
  const expected = handOver.expect(deliveries)!;
  expect([...desks.values()].map((each) => each.expected)).toEqual([1, 1, 1]);
  // The first is left to the table, the second is where it fails.
  expect(() => expected.arrived([1], new Map())).toThrow('planted');
  expected.missed(true);
  expect([...desks.values()].map((each) => each.expected)).toEqual([0, 0, 0]);
  expect([held.expected, looks.length]).toEqual([0, 3]);
  // Its row may have been parked with the others.
  expect(marked).toEqual([3]);
});
