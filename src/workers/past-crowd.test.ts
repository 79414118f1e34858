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

const lanes = new Map<number, Lane>();
const memory = { room: 1_024, hasBytes: true, fullTenants: (): number[] => [7] };
/** What each read asked for, how long it takes, and what it brings. */
let reads: { fetches: readonly LaneFetch[]; over: Over }[];
let takesMs: number;
let found: (fetch: LaneFetch) => DueDelivery[];
let isTaken: boolean;
let admitted: DueDelivery[];
let pastCrowd: PastCrowd;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  reads = [];
  takesMs = 0;
  found = () => [];
  isTaken = true;
  admitted = [];
  Object.assign(memory, { room: 1_024, hasBytes: true });
  lanes.clear();
  memory.fullTenants = () => [7];
  for (let number = 0; number < 8; number++) lanes.set(number, new Lane({ lane: number, epoch: 1 }, 0));
  pastCrowd = new PastCrowd({
    store: {
      fetchDue: async (fetches, over) => {
        reads.push({ fetches, over });
        vi.advanceTimersByTime(takesMs);
        return fetches.flatMap((fetch) => found(fetch).map((row) => ({ ...row, lane: fetch.lane })));
      },
    },
    desks: {
      held: { metBy: () => HELD } as never,
      memory: memory as never,
      read: async (work: () => Promise<DueDelivery[]>) => {
        const rows = await work();
        return { rows, fresh: rows.filter(({ attempt }) => attempt === 0) };
      },
    },
    floods: { flooded: () => [{ num: 9 }] as never },
    lanes,
    admit: async (rows) => {
      admitted.push(...rows);
      return isTaken;
    },
    nowMs: () => CLOCK_MS,
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

/** Where the last read began in its first lane. */
const place = () => reads.at(-1)!.fetches[0]!.after.dueAtMs;
const lanesOf = () => reads.map(({ fetches }) => fetches.map(({ lane }) => lane));
const failure = new Error('canceling statement due to statement timeout');

test('nothing is read where nobody is many, nor of lanes that are not behind, nor without room for it', async () => {
  await pastCrowd.run();
  crowded();
  memory.hasBytes = false;
  await pastCrowd.run();
  Object.assign(memory, { hasBytes: true, room: 3 });
  await pastCrowd.run();
  memory.room = 1_024;
  for (const lane of lanes.values()) lane.isCareful = true;
  await pastCrowd.run();
  for (const lane of lanes.values()) Object.assign(lane, { isCareful: false, isDraining: true });
  await pastCrowd.run();
  expect(reads).toEqual([]);
});

test('a read passes over the crowd, over tenants that have their share of memory, and over what is flooded or in memory', async () => {
  crowded();
  await pastCrowd.run();
  expect(reads.map(({ over }) => over)).toEqual([{ endpoints: [9], tenants: [CROWD, 7], rows: [] }]);
  expect(reads[0]!.over.rows).toBe(HELD);
});

test('reads have a quarter of the time at the most, and are rarer where they find nobody', async () => {
  const times: number[] = [];
  const readUntil = async (endMs: number) => {
    times.length = 0;
    for (const end = performance.now() + endMs; performance.now() < end; ) {
      const before = reads.length;
      const now = performance.now();
      await after(0);
      if (reads.length > before) times.push(now);
      vi.advanceTimersByTime(5);
    }
    return times.slice(1).map((time, i) => time - times[i]!);
  };
  found = () => rowsOf(1, OTHER);
  expect(await readUntil(100)).toEqual([25, 25, 25]);
  found = () => rowsOf(1, OTHER).map((row) => ({ ...row, ...SETTLED }));
  expect((await readUntil(600)).slice(-3)).toEqual([100, 100, 100]);
  takesMs = 50;
  expect((await readUntil(1_000)).slice(-3)).toEqual([200, 200, 200]);
});

test('what was settled while it was read is not taken in', async () => {
  const [fresh, settled] = rowsOf(2, OTHER);
  found = () => [fresh!, { ...settled!, ...SETTLED }];
  await after(0);
  expect(admitted).toEqual([...lanes.keys()].map((lane) => ({ ...fresh, lane })));
});

test('what it brings has a quarter of the room of memory; where that is less than a row of each lane, lanes take turns', async () => {
  memory.room = 100;
  await after(0);
  expect(reads[0]!.fetches.map(({ limit }) => limit)).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
  memory.room = 12;
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

test('the next read goes on behind the last row, unless there was no room for all of it', async () => {
  for (const number of lanes.keys()) if (number !== 0) lanes.delete(number);
  found = ({ limit }) => rowsOf(limit, OTHER);
  isTaken = false;
  await after(0);
  await after(100);
  expect(place()).toBe(0);
  isTaken = true;
  await after(100);
  await after(100);
  expect(place()).toBe(1_031);
});

test('whoever has many of the rows of such reads that leave more is one of the crowd, too, however little room they have', async () => {
  for (const number of lanes.keys()) if (number !== 0) lanes.delete(number);
  found = ({ limit }) => [...rowsOf(limit - 4, OTHER), ...rowsOf(4, 3)];
  for (const room of [1_024, 64, 1_024, 1_024, 1_024]) {
    memory.room = room;
    await after(100);
  }
  expect(reads.map(({ over }) => over.tenants)).toEqual([...Array(4).fill([CROWD, 7]), [CROWD, OTHER, 7]]);
});

test('rows that are all there are make nobody one of the crowd', async () => {
  found = ({ limit }) => rowsOf(limit - 1, OTHER);
  for (let i = 0; i < 5; i++) await after(100);
  expect(reads.map(({ fetches }) => fetches[0]!.limit)).toEqual([32, 32, 32, 32, 32]);
  expect(reads.at(-1)!.over.tenants).toEqual([CROWD, 7]);
});

test('when a tenant is passed over no more, lanes are looked through from where fetches are, every five seconds at most', async () => {
  found = ({ limit, lane }) => (lane === 0 ? rowsOf(limit, OTHER) : []);
  await after(100);
  await after(100);
  expect(place()).toBe(1_031);
  memory.fullTenants = () => [];
  await after(100);
  expect(place()).toBe(0);
  for (const full of [[8], []]) {
    memory.fullTenants = () => full;
    await after(100);
    expect(place()).toBe(1_031);
  }
  await after(5_000);
  expect(place()).toBe(0);
});

test('that comes the more rarely the longer it takes, and not while lanes are read alone', async () => {
  found = ({ limit, lane }) => (lane === 0 ? rowsOf(limit, OTHER) : []);
  takesMs = 1_000;
  await after(0);
  memory.fullTenants = () => [];
  await after(4_000);
  expect(place()).toBe(0);
  memory.fullTenants = () => [8];
  await after(4_000);
  memory.fullTenants = () => [];
  await after(33_000);
  expect(place()).toBe(1_031);
  await after(4_000);
  expect(place()).toBe(0);
  found = () => {
    throw failure;
  };
  await after(4_000);
  found = ({ limit }) => rowsOf(limit, OTHER);
  memory.fullTenants = () => [7];
  await after(4_000);
  memory.fullTenants = () => [];
  await after(60_000);
  expect(reads.at(-1)!.fetches).toHaveLength(1);
  expect(place()).toBeGreaterThan(0);
});

test('a read that fails is told once, and has a quarter of the time like others', async () => {
  for (const number of lanes.keys()) if (number !== 0) lanes.delete(number);
  takesMs = 10_000;
  found = () => {
    throw failure;
  };
  await after(0);
  expect(() => pastCrowd.throwFailure()).toThrow(failure);
  pastCrowd.throwFailure();
  await after(99_000);
  expect(reads).toHaveLength(1);
  await after(1_000);
  expect(reads).toHaveLength(2);
});

test('of lanes whose read failed each is read alone; one that fails again waits, and the others do not wait for it', async () => {
  found = ({ lane }) => {
    vi.advanceTimersByTime(lane === 3 ? 10_000 : 1);
    if (lane === 3) throw failure;
    return [];
  };
  await after(0);
  expect(lanesOf()).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]]);
  await after(31_000);
  for (let i = 0; i < 20; i++) await after(100);
  const [, ...later] = lanesOf();
  const whole = [0, 1, 2, 4, 5, 6, 7];
  expect(later.filter((read) => read.length === 1)).toEqual([[0], [1], [2], [3]]);
  expect(later.at(-1)).toEqual([0, 1, 2]);
  reads = [];
  for (let i = 0; i < 2_000; i++) await after(100);
  expect(lanesOf().filter((read) => read.length === 1)).toEqual([[4], [5], [6], [7], [3], [3]]);
  expect(lanesOf().at(-1)).toEqual(whole);
});
