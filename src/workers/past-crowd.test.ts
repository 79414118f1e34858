import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DueDelivery, LaneFetch } from '../store/mailbox.ts';
import { Lane } from './lane.ts';
import { PastCrowd } from './past-crowd.ts';

const CLOCK_MS = 1_000_000;
const CROWD = 1;
const OTHER = 2;
/** What is in memory of what may be read. */
const HELD = [] as never;
/** An attempt was settled while its row was read. */
const SETTLED = { attempt: 1 };

type Over = Parameters<ConstructorParameters<typeof PastCrowd>[0]['store']['fetchDue']>[1];

interface Read {
  readonly fetches: readonly LaneFetch[];
  readonly over: Over;
  readonly clockMs: number;
}

/** The front goes no further back than this. */
const LATE_MS = 2_500;

const lanes = new Map<number, Lane>();
const memory = { freeRows: 1_024, isReadUseful: true, fullTenants: (): number[] => [7] };
/** What each read asked for, how long it takes, and what it brings. */
let reads: Read[];
let takesMs: number;
let found: (fetch: LaneFetch) => DueDelivery[];
/** Where a sweep stops that found less than it may bring. */
let stopOf: (fetch: LaneFetch) => DueDelivery | null;
let flooded: { num: number }[];
let isTaken: boolean;
let admitted: DueDelivery[];
let pastCrowd: PastCrowd;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  reads = [];
  takesMs = 0;
  found = () => [];
  stopOf = () => null;
  flooded = [{ num: 9 }];
  isTaken = true;
  admitted = [];
  Object.assign(memory, { freeRows: 1_024, isReadUseful: true });
  lanes.clear();
  memory.fullTenants = () => [7];
  for (let number = 0; number < 8; number++) lanes.set(number, new Lane({ lane: number, epoch: 1 }, 0));
  pastCrowd = new PastCrowd({
    store: {
      fetchDue: async (fetches, over) => {
        const clockMs = CLOCK_MS + performance.now();
        reads.push({ fetches, over, clockMs });
        vi.advanceTimersByTime(takesMs);
        const rows = fetches.flatMap((fetch) => found(fetch).map((row) => ({ ...row, lane: fetch.lane })));
        const isSwept = ({ after }: LaneFetch) => after.dueAtMs < clockMs - LATE_MS;
        const stops = fetches.filter(isSwept).flatMap((fetch) => {
          const stop = stopOf(fetch);
          return stop === null ? [] : [[fetch.lane, stop] as const];
        });
        return { rows, stops: new Map(stops) };
      },
    },
    desks: {
      inMemory: { metBy: () => HELD } as never,
      memory: memory as never,
      read: async (work) => {
        const result = await work();
        return { ...result, fresh: result.rows.filter(({ attempt }) => attempt === 0) };
      },
    },
    floods: { flooded: () => flooded as never },
    lanes,
    admit: async (rows) => {
      admitted.push(...rows);
      return isTaken;
    },
    nowMs: () => CLOCK_MS + performance.now(),
  });
});
afterEach(() => vi.useRealTimers());

function rowsOf(count: number, tenantNum: number): DueDelivery[] {
  return Array.from({ length: count }, (_, n) => ({
    eventUuid: `u${n}`,
    endpointNum: tenantNum * 1_000 + n,
    tenantNum,
    lane: 0,
    attempt: 0,
    step: 0,
    dueAtMs: 1_000 + n,
    isReplay: false,
    endpointVersion: 1,
    isParked: false,
    order: null,
  }));
}

/** A main read brought nothing but rows of one tenant, and left more. */
const crowded = () => pastCrowd.note(rowsOf(500, CROWD), performance.now());
async function after(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  crowded();
  await pastCrowd.run();
}

/** Where a read began in its first lane, in ms by the clock. */
const placeOf = ({ fetches }: Read) => fetches[0]!.after.dueAtMs;
const isFront = (read: Read) => placeOf(read) >= read.clockMs - LATE_MS;
const isSweep = (read: Read) => !isFront(read);
const fronts = () => reads.filter(isFront);
const others = () => reads.filter(isSweep);
/** Both have come to the end, so that only the front is looked at. */
async function settle(): Promise<void> {
  await after(0);
  reads = [];
}

/** A round for which no look was due. */
async function runUndue(): Promise<void> {
  expect(pastCrowd.isDue(performance.now())).toBe(false);
  await pastCrowd.run();
}

test('nothing is read where nobody is many and nothing flooded, nor of lanes that are not behind, nor without room for it', async () => {
  memory.fullTenants = () => [];
  flooded = [];
  await runUndue();
  crowded();
  memory.isReadUseful = false;
  await runUndue();
  Object.assign(memory, { isReadUseful: true, freeRows: 3 });
  await runUndue();
  memory.freeRows = 1_024;
  for (const lane of lanes.values()) lane.isCareful = true;
  await runUndue();
  for (const lane of lanes.values()) Object.assign(lane, { isCareful: false, isDraining: true });
  await runUndue();
  expect(reads).toEqual([]);
});

test('a round is due for a look as soon as its pause is over, and no sooner', async () => {
  flooded = [];
  const isDue = () => pastCrowd.isDue(performance.now());
  expect(isDue()).toBe(true);
  await settle();
  await after(1_000);
  expect(reads.length).toBeGreaterThan(0);
  const pauseMs = [1, 23, 25, 50, 1].map((ms) => {
    vi.advanceTimersByTime(ms);
    return isDue();
  });
  expect(pauseMs).toEqual([false, false, false, false, true]);
});

test.each([
  ['a tenant has its share of memory', [7], []],
  ['an endpoint is flooded', [], [{ num: 9 }]],
])('where %s, others are looked for', async (_what, full, floods) => {
  memory.fullTenants = () => full;
  flooded = floods;
  await pastCrowd.run();
  expect(fronts().map(({ over }) => [over.tenants, over.endpoints])).toEqual([[full, floods.map(({ num }) => num)]]);
});

test('a read passes over the crowd, over tenants that have their share of memory, and over what is flooded or in memory', async () => {
  crowded();
  await pastCrowd.run();
  const over = { endpoints: [9], tenants: [CROWD, 7], rows: [] };
  expect(reads.map((read) => read.over)).toEqual([over, over]);
  expect(reads[0]!.over.rows).toBe(HELD);
});

test('what becomes due now is read first, whatever waits; then what waits before that, part by part, from where fetches are', async () => {
  const waiting = rowsOf(3, OTHER);
  stopOf = () => waiting[0]!;
  await after(0);
  expect(reads.map(placeOf)).toEqual([CLOCK_MS - 1_000, 0]);
  stopOf = () => waiting[2]!;
  await after(25);
  stopOf = () => null;
  await after(25);
  expect(others().map(placeOf)).toEqual([0, 1_000, 1_002]);
  reads = [];
  for (let i = 0; i < 20; i++) await after(100);
  expect([fronts().length, others().length]).toEqual([20, 0]);
});

test('a lane that has fetched is looked through from there', async () => {
  const [row] = rowsOf(1, CROWD);
  for (const lane of lanes.values()) {
    lane.nextFetch(1, 0, CLOCK_MS);
    lane.fetched({ rows: [row!], fresh: 1, limit: 1 }, 0);
  }
  await after(0);
  expect(others().map(placeOf)).toEqual([row!.dueAtMs]);
});

/** Times between reads that come as soon as they may, in ms, of those that are meant. */
async function pausesIn(ms: number, isMeant: (read: Read) => boolean): Promise<number[]> {
  reads = [];
  for (const end = performance.now() + ms; performance.now() < end; vi.advanceTimersByTime(5)) await after(0);
  const times = reads.filter(isMeant).map(({ clockMs }) => clockMs);
  return times.slice(1).map((time, i) => time - times[i]!);
}

test('the front has a quarter of the time at the most, and is rarer where it finds nobody', async () => {
  await settle();
  found = () => rowsOf(1, OTHER);
  expect((await pausesIn(200, isFront)).slice(-3)).toEqual([25, 25, 25]);
  found = () => rowsOf(1, OTHER).map((row) => ({ ...row, ...SETTLED }));
  expect((await pausesIn(800, isFront)).slice(-3)).toEqual([100, 100, 100]);
  takesMs = 50;
  expect((await pausesIn(1_000, isFront)).slice(-3)).toEqual([200, 200, 200]);
});

test('what nobody has looked at is looked through in half of the time', async () => {
  stopOf = () => rowsOf(1, OTHER)[0]!;
  takesMs = 100;
  const pauses = await pausesIn(2_000, isSweep);
  // To 5 ms.
  for (const pause of pauses) expect([200, 205]).toContain(pause);
  expect(pauses.length).toBeGreaterThan(7);
});

test('what was passed over is looked through in a twentieth of the time, after what became due in the last 30 seconds', async () => {
  await settle();
  memory.fullTenants = () => [];
  takesMs = 100;
  const [row] = rowsOf(1, OTHER);
  stopOf = ({ after }) => (after.dueAtMs <= 500 ? { ...row!, dueAtMs: 500 } : null);
  await after(5_000);
  expect(others().map(placeOf)).toEqual([CLOCK_MS - 30_000 + performance.now() - 3 * takesMs, 0]);
  const pauses = await pausesIn(10_000, (read) => placeOf(read) === 500);
  // To 5 ms.
  for (const pause of pauses) expect([2_000, 2_005]).toContain(pause);
  expect(pauses.length).toBeGreaterThan(2);
});

test('what was settled while it was read is not taken in', async () => {
  await settle();
  admitted = [];
  const [fresh, settled] = rowsOf(2, OTHER);
  found = () => [fresh!, { ...settled!, ...SETTLED }];
  await after(100);
  expect(admitted).toEqual([...lanes.keys()].map((lane) => ({ ...fresh, lane })));
});

test('what it brings has a quarter of the room of memory; where that is less than a row of each lane, lanes take turns', async () => {
  memory.freeRows = 100;
  await settle();
  await after(100);
  expect(reads[0]!.fetches.map(({ limit }) => limit)).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
  memory.freeRows = 12;
  reads = [];
  for (let i = 0; i < 3; i++) await after(100);
  expect(reads.map(({ fetches }) => fetches.map(({ lane, limit }) => [lane, limit]))).toEqual([
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
    [
      [3, 1],
      [4, 1],
      [5, 1],
    ],
    [
      [6, 1],
      [7, 1],
      [0, 1],
    ],
  ]);
});

test('a lane has 500 rows at the most, however much room there is', async () => {
  memory.freeRows = 100_000;
  await after(0);
  expect(reads[0]!.fetches[0]!.limit).toBe(500);
});

function onlyLane0(): void {
  for (const number of lanes.keys()) if (number !== 0) lanes.delete(number);
}

test('the next read goes on behind the last row, unless there was no room for all of it', async () => {
  onlyLane0();
  await settle();
  const row = { ...rowsOf(1, OTHER)[0]!, dueAtMs: CLOCK_MS - 500 };
  found = ({ limit }) => Array<DueDelivery>(limit).fill(row);
  isTaken = false;
  await after(100);
  const place = placeOf(fronts()[0]!);
  await after(100);
  expect(placeOf(fronts()[1]!)).toBe(place);
  isTaken = true;
  await after(100);
  await after(10);
  found = () => [];
  await after(40);
  expect(placeOf(fronts().at(-1)!)).toBe(row.dueAtMs);
});

test('whoever has many of the rows of such reads that leave more is one of the crowd, too, however little room they have', async () => {
  onlyLane0();
  await settle();
  found = ({ limit }) => [...rowsOf(limit - 4, OTHER), ...rowsOf(4, 3)].map((row) => ({ ...row, dueAtMs: CLOCK_MS }));
  for (const room of [800, 64, 800, 800, 800]) {
    memory.freeRows = room;
    await after(100);
  }
  expect(reads.map(({ over }) => over.tenants)).toEqual([...Array(4).fill([CROWD, 7]), [CROWD, OTHER, 7]]);
});

test('rows that are all there are make nobody one of the crowd', async () => {
  found = ({ limit }) => rowsOf(limit - 1, OTHER);
  for (let i = 0; i < 5; i++) await after(100);
  expect(reads.every(({ fetches }) => fetches[0]!.limit === 32)).toBe(true);
  expect(reads.at(-1)!.over.tenants).toEqual([CROWD, 7]);
});

test('when a tenant is passed over no more, lanes are looked through anew, every five seconds at most', async () => {
  const anew = async (ms: number, full: number[]) => {
    reads = [];
    memory.fullTenants = () => full;
    for (let passed = 0; passed < ms; passed += 100) await after(100);
    return others().length > 0;
  };
  await settle();
  expect(await anew(100, [])).toBe(false);
  expect(await anew(4_900, [])).toBe(true);
  expect([await anew(100, [8]), await anew(100, [])]).toEqual([false, false]);
  expect(await anew(5_000, [])).toBe(true);
});

test('what such a read finds keeps its lane awake like what a fetch finds', async () => {
  onlyLane0();
  const lane = lanes.get(0)!;
  await settle();
  found = () => rowsOf(1, OTHER);
  vi.advanceTimersByTime(1_000);
  const fetch = () => {
    lane.nextFetch(10, performance.now(), CLOCK_MS);
    lane.fetchedPast({ rows: [], fresh: 0, limit: 10 }, performance.now());
    vi.advanceTimersByTime(10);
    lane.poll(performance.now());
    return lane.mayFetch;
  };
  expect(fetch()).toBe(false);
  await after(0);
  expect(fetch()).toBe(true);
});

test('after a read that failed none of the others is made in the same round', async () => {
  found = () => {
    throw new Error('canceling statement due to statement timeout');
  };
  await after(0);
  expect(reads.length).toBe(1);
  await after(100);
  expect(reads.length).toBe(2);
});

test('of who became one of the crowd by such reads the rest is looked through from where that was', async () => {
  onlyLane0();
  memory.freeRows = 2_048;
  found = ({ limit, after: place }) =>
    place.dueAtMs < 5_000 ? rowsOf(limit, OTHER).map((row) => ({ ...row, dueAtMs: 5_000 })) : [];
  for (let passed = 0; passed < 6_000; passed += 100) await after(100);
  expect(others().map(placeOf).slice(0, 3)).toEqual([0, 5_000, 5_000]);
});

test('once a minute lanes are looked through from the start whoever is passed over, for what was committed very late', async () => {
  await settle();
  const looksThrough = async (ms: number) => {
    reads = [];
    for (let passed = 0; passed < ms; passed += 100) await after(100);
    return reads.filter((read) => placeOf(read) === 0).length;
  };
  expect([await looksThrough(59_000), await looksThrough(5_000)]).toEqual([0, 1]);
});

test('a read that fails is told once, comes again after five seconds, and after ten times as long as it took when it fails again', async () => {
  await settle();
  takesMs = 10_000;
  const failure = new Error('canceling statement due to statement timeout');
  found = () => {
    throw failure;
  };
  await after(100);
  expect(() => pastCrowd.throwFailure()).toThrow(failure);
  pastCrowd.throwFailure();
  await after(4_900);
  expect(fronts()).toHaveLength(1);
  await after(100);
  expect(fronts()).toHaveLength(2);
  found = () => [];
  takesMs = 0;
  await after(99_000);
  expect(fronts()).toHaveLength(2);
  await after(1_000);
  expect(fronts()).toHaveLength(3);
});
