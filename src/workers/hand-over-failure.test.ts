import { beforeEach, expect, test } from 'vitest';
import { HandOver, type HandOverOptions } from './hand-over.ts';
import { RowsInMemory } from './rows-in-memory.ts';

const UUID = '01890a5d-ac96-774b-bcce-b302099a8057';
const BODIES = new Map();

type PlantedDesk = ReturnType<typeof createDesk>;

let inMemory: RowsInMemory;
let desks: Map<number, PlantedDesk>;
let handOver: HandOver;
/** Endpoints whose deliveries were taken in. */
let admitted: number[];
let looks: number;
let looksAnew: number;
/** Endpoints that were marked as having something parked. */
let marked: number[];
let failures: string[];
let askForLane: () => void;
let fence: () => void;

function createDesk(num: number) {
  return {
    num,
    version: 1,
    target: { maxInFlight: 4 },
    waiting: [],
    lines: { waiting: 0 },
    hasParked: false,
    flood: null as 'plain' | null,
    wasFlooded: num === 3,
    expected: 0,
    isOpen: () => true,
    markParked: () => marked.push(num),
  };
}

beforeEach(() => {
  inMemory = new RowsInMemory();
  desks = new Map([1, 2, 3].map((num) => [num, createDesk(num)]));
  admitted = [];
  looks = 0;
  looksAnew = 0;
  marked = [];
  failures = [];
  askForLane = () => {};
  fence = () => {};
  const lane = {
    number: 0,
    takesFromMemory: true,
    isDraining: false,
    isLeaving: false,
    onHandedRows: () => {},
    wake: () => {},
  };
  const lookBack = () => looks++;
  // What is left may be behind where reads past a crowd have come to, too.
  const resweepRecent = () => looksAnew++;
  const known = new Map([[0, { ...lane, lookBack, looks: { resweepRecent } }]]);
  handOver = new HandOver({
    desks: {
      list: desks,
      memory: { rowsForHandOver: 10, rowsPerEndpoint: () => 10, tenantMayHaveMore: () => true },
      crowding: { places: () => null },
      inMemory,
      tableWrites: { isEmpty: true },
      admit: (rows: readonly { endpointNum: number }[]) => admitted.push(...rows.map(({ endpointNum }) => endpointNum)),
    },
    lanes: {
      get: (number: number) => {
        askForLane();
        return known.get(number);
      },
    },
    nowMs: () => 0,
    fence: () => fence(),
    requestRound: () => {},
    onFailure: (_what: string, error: Error) => failures.push(error.message),
  } as unknown as HandOverOptions);
});

const expectAll = () =>
  handOver.expect(
    [1, 2, 3].map((endpointNum) => ({ eventUuid: UUID, endpointNum, tenantNum: 1, lane: 0, orderKey: null })),
  );
const places = () => [...desks.values()].map((each) => each.expected);
/** What is taken from memory is taken in after the producers have heard. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const fail = () => {
  throw new Error('planted');
};

test('where taking a commit in fails midway, each endpoint gets its places back, once, and nothing of it is awaited any more', () => {
  const expected = expectAll()!;
  expect(places()).toEqual([1, 1, 1]);
  // The first is left to the table, the second is where it fails.
  let asked = 0;
  askForLane = () => {
    if (++asked === 2) fail();
  };
  expect(() => expected.arrived([1], BODIES)).toThrow('planted');
  askForLane = () => {};
  expected.missed(true);
  expect(places()).toEqual([0, 0, 0]);
  expect([inMemory.expected, looks, looksAnew]).toEqual([0, 3, 3]);
  // Its row may have been parked with the others.
  expect(marked).toEqual([3]);
});

test('where it cannot be found out whose the lanes are, a commit is left to the table', async () => {
  const expected = expectAll()!;
  fence = fail;
  expect([...expected.arrived([], BODIES).lanes]).toEqual([0]);
  fence = () => {};
  await turn();
  expect([admitted, places(), inMemory.expected, failures]).toEqual([[], [0, 0, 0], 0, ['planted']]);
});

test('the same where that fails between the answer to the producers and the taking in', async () => {
  const expected = expectAll()!;
  expect([...expected.arrived([], BODIES).lanes]).toEqual([]);
  fence = fail;
  await turn();
  expect([admitted, places(), inMemory.expected, failures]).toEqual([[], [0, 0, 0], 0, ['planted']]);
});

test.each(['before it is answered', 'before it is taken in'])(
  'what was expected by a desk that is forgotten %s is left to the table: the one in its place knows nothing of it',
  async (when) => {
    const expected = expectAll()!;
    const replace = () => desks.set(2, createDesk(2));
    if (when === 'before it is answered') replace();
    expected.arrived([], BODIES);
    if (when === 'before it is taken in') replace();
    await turn();
    expect([admitted, inMemory.expected]).toEqual([[1, 3], 0]);
  },
);

test('nothing is expected for an endpoint whose due rows are parked unread', () => {
  desks.get(2)!.flood = 'plain';
  expect([...expectAll()!.endpoints.keys()]).toEqual([1, 3]);
});
