import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Cursor, DueDelivery } from '../store/mailbox.ts';
import { START } from '../store/mailbox.ts';
import type { ParkedFlood } from '../store/park.ts';
import { DeskList } from './desk-list.ts';
import { VirtualTime } from './fixtures/virtual-time.ts';
import { FloodParker } from './flood-parker.ts';
import { Lane } from './lane.ts';

let time: VirtualTime;
let list: DeskList;
let floods: FloodParker;
let lane: Lane;
/** Where each statement began, and when. */
let begun: { readonly after: Cursor; readonly at: number }[];
/** Endpoints whose next in order were promoted, and after how many statements. */
let promoted: { readonly nums: readonly number[]; readonly after: number }[];
let promoteMs: number;
let failures: string[];
let answer: () => Promise<ParkedFlood>;

const at = (dueAtMs: number): Cursor => ({ ...START, dueAtMs, endpointNum: 1 });
const ended = (place: Cursor | null, rows = 0): ParkedFlood => ({
  parked: rows === 0 ? [] : [{ endpointNum: 1, kind: 'first', rows }],
  ends: new Map(place === null ? [] : [[0, place]]),
});

beforeEach(() => {
  time = new VirtualTime();
  time.install();
  list = new DeskList(() => time.now);
  begun = [];
  promoted = [];
  promoteMs = 0;
  failures = [];
  lane = new Lane({ lane: 0, epoch: 1 }, 0);
  floods = new FloodParker({
    list,
    lanes: new Map([[0, lane]]),
    maxInFlight: 16,
    onFailure: (what, error) => failures.push(`${what}: ${(error as Error).message}`),
    store: {
      parkEndpoints: (_leases, _nums, _limit, after) => {
        begun.push({ after: after.get(0)!, at: time.now });
        return answer();
      },
      promoteAll: async (nums) => {
        promoted.push({ nums, after: begun.length });
        if (promoteMs > 0) await time.sleep(promoteMs);
        return 0;
      },
    },
  });
});

afterEach(() => time.restore());

/** Rows of the endpoint were returned to the table together, the first of them due then. */
const note = (dueAtMs: number, isOrdered = false) => {
  const order = isOrdered ? { key: 1, seq: 1, behindSeq: null, isPaused: false } : null;
  list.of(1, 0).markParked();
  floods.note([{ ...at(dueAtMs), order } as DueDelivery]);
};

/** Rounds of 10 ms. */
async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    floods.start();
    await time.pass(10);
  }
}

/** The same where rows of it are read as long as it is not passed over. */
async function roundsThatMeet(dueAtMs: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (floods.flooded().length === 0) note(dueAtMs);
    await rounds(1);
  }
}

const places = () => begun.map(({ after }) => after.dueAtMs);

test('a flood is looked for from a second before where it was met, part by part, and from the start when it was looked through', async () => {
  const ends = [at(5_500), at(5_700), null, at(100)];
  answer = async () => ended(ends[begun.length - 1] ?? null);
  note(5_000);
  await rounds(20);
  expect(places()).toEqual([4_000, 5_500, 5_700, 0]);
  expect(failures).toEqual([]);
});

test('a flood in order is parked to its end, however many parts that takes, and then what is next is promoted, once', async () => {
  const ends = [at(5_500), at(5_700), null];
  answer = async () => ended(ends[begun.length - 1] ?? null, 1);
  note(5_000, true);
  await rounds(30);
  expect(places()).toEqual([4_000, 5_500, 5_700]);
  expect(promoted).toEqual([{ nums: [1], after: 3 }]);
  expect(list.get(1)!.flood).toBeNull();
});

test.for([
  { rows: 1, promotingMs: 0, endsAfterMs: 2_000 },
  { rows: 500, promotingMs: 0, endsAfterMs: 2_000 },
  { rows: 1, promotingMs: 200, endsAfterMs: 4_000 },
])(
  'a flood in order whose look takes long, beside a backlog of others or with one of its own, ends after a while: what is next is promoted and read (%o)',
  async (given) => {
    promoteMs = given.promotingMs;
    answer = async () => ended(at(5_000 + begun.length), given.rows);
    const lasted: number[] = [];
    for (let i = 0; i < 2; i++) {
      const since = time.now;
      note(5_000, true);
      while (list.get(1)!.flood !== null) await rounds(1);
      lasted.push(time.now - since - promoteMs);
    }
    expect(promoted.map(({ nums }) => nums)).toEqual([[1], [1]]);
    // How long promoting takes is known from the first time.
    expect(lasted[0]).toBeGreaterThanOrEqual(2_000);
    expect(lasted[1]).toBeGreaterThanOrEqual(given.endsAfterMs);
    expect(lasted[1]).toBeLessThan(given.endsAfterMs + 100);
  },
);

test('a flood of which nothing is known to be parked any more is not over while rows of it may stand behind where parking has come to', async () => {
  const ends = [at(5_500), at(5_700), null];
  answer = async () => {
    for (const part of Object.values(list.get(1)!.parked)) part.hasRows = false;
    return ended(ends[begun.length - 1] ?? null);
  };
  note(5_000);
  await rounds(30);
  expect(places()).toEqual([4_000, 5_500, 5_700]);
  expect([list.get(1)!.flood, promoted]).toEqual([null, []]);
});

test('a flood of which rows are parked is over once nothing of it was met for ten seconds, and is met anew', async () => {
  const found = [500, 3, 0, 1];
  answer = async () => ended(null, found[begun.length - 1] ?? 0);
  note(5_000);
  while (list.get(1)!.flood !== null) await rounds(1);
  const looks = begun.length;
  // The first begins where it was met.
  expect(new Set(places().slice(1))).toEqual(new Set([0]));
  expect(begun.at(-1)!.at - begun[3]!.at).toBeGreaterThanOrEqual(10_000);
  expect(begun.at(-2)!.at - begun[3]!.at).toBeLessThan(10_000);
  expect(list.get(1)!.hasParked).toBe(true);
  await rounds(100);
  expect(begun.length).toBe(looks);
  note(9_000_000);
  await rounds(100);
  expect(begun.length).toBeGreaterThan(looks);
});

test('where a look takes long the next one waits four times as long', async () => {
  answer = async () => {
    await time.sleep(100);
    return ended(null, 1);
  };
  note(5_000);
  await rounds(120);
  expect(begun.map((each) => each.at)).toEqual([0, 500, 1_000]);
});

test('to ask what is flooded looks at nothing but that, however many endpoints are known, and at none whose lane has gone', () => {
  for (let num = 2; num <= 100; num++) list.of(num, 0);
  const looked: number[] = [];
  const all = list[Symbol.iterator].bind(list);
  list[Symbol.iterator] = function* () {
    for (const desk of { [Symbol.iterator]: all }) {
      looked.push(desk.num);
      yield desk;
    }
  };
  note(5_000);
  expect(floods.flooded()).toEqual([list.get(1)]);
  expect(looked).toEqual([]);
  list.forgetLane(0);
  list.of(1, 0);
  expect(floods.flooded()).toEqual([]);
});

test('as long as each statement parks as many rows as it may the next one comes at once, else after a while', async () => {
  answer = async () => ended(at(500 + begun.length), begun.length < 4 ? 500 : 0);
  note(5_000);
  await rounds(10);
  expect(begun.map((each) => each.at)).toEqual([0, 10, 20, 30, 80]);
});

test('a parking that fails is told, and is tried again soon, and where it fails again after ten times as long', async () => {
  answer = async () => {
    await time.sleep(begun.length * 100);
    throw new Error('canceling statement due to statement timeout');
  };
  await roundsThatMeet(5_000, 600);
  expect(begun.map((each) => each.at)).toEqual([0, 300, 2_500, 5_800]);
  expect(places()).toEqual([4_000, 4_000, 4_000, 4_000]);
  expect(failures.slice(0, 2)).toEqual(
    Array(2).fill('parking of a flood: canceling statement due to statement timeout'),
  );
  expect(list.get(1)!.hasParked).toBe(true);
});

test('a failure after one that went well is the first again', async () => {
  answer = async () => {
    await time.sleep(100);
    if (begun.length === 2) return ended(at(900), 500);
    throw new Error('Connection terminated unexpectedly');
  };
  await roundsThatMeet(5_000, 80);
  expect(begun.map((each) => each.at)).toEqual([0, 300, 400, 700]);
});

test('one that fails at once is not tried again at once', async () => {
  answer = async () => {
    throw new Error('no connection');
  };
  await roundsThatMeet(5_000, 41);
  expect(begun.map((each) => each.at)).toEqual([0, 200, 400]);
});

test('where a parking failed nothing is passed over until the next one may be, what was passed over is read, and the next flood is looked for where it is met', async () => {
  const looksBack = vi.spyOn(lane, 'lookBack');
  answer = async () => {
    await time.sleep(10_000);
    throw new Error('canceling statement due to statement timeout');
  };
  for (const dueAtMs of [5_000, 900_000]) {
    note(dueAtMs);
    await rounds(1);
    // Rows of it that stand far back are met meanwhile.
    note(2_000);
    expect(floods.flooded()).toEqual([list.get(1)]);
    await time.pass(10_300, () => !floods.isParking);
    expect([list.get(1)!.flood, floods.flooded()]).toEqual([null, []]);
    note(dueAtMs);
    expect(floods.flooded()).toEqual([]);
    await time.pass(200);
  }
  expect(looksBack).toHaveBeenCalledTimes(2);
  expect(places()).toEqual([4_000, 899_000]);
  await time.pass(99_000);
  note(990_000);
  expect(floods.flooded()).toEqual([]);
  await time.pass(1_000);
  note(990_000);
  await rounds(1);
  expect(places()).toEqual([4_000, 899_000, 989_000]);
});

test('for a minute after a look from the start failed none begins there: a flood is over when it was looked through from where it was met', async () => {
  answer = async () => {
    if (begun.at(-1)!.after !== START) return ended(null, 1);
    await time.sleep(10_000);
    throw new Error('canceling statement due to statement timeout');
  };
  await roundsThatMeet(5_000, 1_100);
  const failedAt = time.now;
  expect(failures).toHaveLength(1);
  begun = [];
  await roundsThatMeet(5_000, 5_000);
  expect(new Set(places())).toEqual(new Set([4_000]));
  await roundsThatMeet(5_000, 2_000);
  expect(failures).toHaveLength(2);
  expect(begun.find(({ after }) => after === START)!.at - failedAt).toBeLessThan(61_000);
});

test('what is next of the keys of a flood in order is looked for anew where its parking failed', async () => {
  lane.strandedAt = 0;
  answer = async () => {
    throw new Error('no connection');
  };
  note(5_000, true);
  await rounds(1);
  expect([list.get(1)!.flood, lane.strandedAt]).toEqual([null, Number.NEGATIVE_INFINITY]);
});
