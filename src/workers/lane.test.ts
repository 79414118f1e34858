import { expect, test } from 'vitest';
import { type DueDelivery, type LaneFetch, START } from '../store/mailbox.ts';
import { Lane } from './lane.ts';
import { StartReads } from './start-reads.ts';

/** Postgres's clock, after everything that is due here. */
const CLOCK_MS = 1_000_000;
const lease = { lane: 3, epoch: 1 };

function row(dueAtMs: number): DueDelivery {
  return {
    eventUuid: `u${dueAtMs}`,
    endpointNum: 1,
    tenantNum: 1,
    lane: 3,
    attempt: 0,
    step: 0,
    dueAtMs,
    isReplay: false,
    endpointVersion: 1,
    isParked: false,
    order: null,
  };
}

test('a lane that was just taken looks from the start', () => {
  expect(new Lane(lease, 0).nextFetch(100, 0, CLOCK_MS)).toEqual({
    lane: 3,
    after: START,
    limit: 100,
  });
});

test('a fetch that came back full goes on behind its last row and at once', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(2, 0, CLOCK_MS);
  lane.fetched({ rows: [row(1_000), row(2_000)], fresh: 2, limit: 2 }, 0);
  expect(lane.mayFetch).toBe(true);
  lane.rowsInMemory = 2;
  expect(lane.nextFetch(2, 1, CLOCK_MS)).toMatchObject({
    after: { dueAtMs: 2_000, eventUuid: 'u2000' },
    limit: 2,
  });
});

test('a fetch that saw the end looks a little behind its cursor next time', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [row(CLOCK_MS - 10)], fresh: 1, limit: 10 }, 0);
  expect(lane.mayFetch).toBe(false);
  lane.rowsInMemory = 1;
  const { after, limit } = lane.nextFetch(10, 20, CLOCK_MS + 20);
  expect(after.dueAtMs).toBe(CLOCK_MS - 110);
  expect(limit).toBe(10);
});

test('a lane takes rows from memory from when it has taken in what waits in the table, and not while it is behind or drained', () => {
  const lane = new Lane(lease, 0);
  const fetch = (now: number, rows: number, limit: number) => {
    lane.nextFetch(limit, now, CLOCK_MS);
    lane.fetched({ rows: Array.from({ length: rows }, () => row(1_000 + now)), fresh: rows, limit }, now);
  };
  expect(lane.takesFromMemory).toBe(false);
  fetch(0, 1, 1);
  lane.onFetchAdmitted();
  expect(lane.takesFromMemory).toBe(false);
  fetch(1, 1, 2);
  expect(lane.takesFromMemory).toBe(false);
  lane.onFetchAdmitted();
  expect(lane.takesFromMemory).toBe(true);
  lane.fellBehind();
  expect([lane.takesFromMemory, lane.mayFetch]).toEqual([false, true]);
  lane.nextFetch(2, 2, CLOCK_MS);
  lane.fetchedPast({ rows: [], fresh: 0, limit: 2 }, 2);
  lane.onFetchAdmitted();
  expect(lane.takesFromMemory).toBe(false);
  fetch(3, 0, 2);
  lane.onFetchAdmitted();
  expect(lane.takesFromMemory).toBe(true);
  lane.isLeaving = true;
  expect(lane.takesFromMemory).toBe(false);
  lane.isLeaving = false;
  lane.isDraining = true;
  expect(lane.takesFromMemory).toBe(false);
});

test('a lane that falls behind while it is read is behind until it is read again', () => {
  const lane = new Lane(lease, 0);
  for (const isRead of [false, true]) {
    lane.nextFetch(2, 0, CLOCK_MS);
    if (!isRead) lane.fellBehind();
    lane.fetched({ rows: [], fresh: 0, limit: 2 }, 0);
    lane.onFetchAdmitted();
    expect(lane.takesFromMemory).toBe(isRead);
  }
});

test('a lane whose rows may stand behind its cursor looks from the start', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [row(CLOCK_MS)], fresh: 1, limit: 10 }, 0);
  lane.rowsInMemory = 1;
  lane.lookBack();
  expect(lane.mayFetch).toBe(true);
  expect(lane.nextFetch(10, 20, CLOCK_MS).after.dueAtMs).toBe(0);
});

test('a lane to which rows come from memory is not idle, and looks no more often for that', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 300, CLOCK_MS);
  lane.onHandedRows(300);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 300);
  expect(lane.isIdle).toBe(false);
  lane.poll(350);
  expect(lane.mayFetch).toBe(false);
  lane.poll(400);
  expect(lane.mayFetch).toBe(true);
  lane.nextFetch(10, 1_400, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1_400);
  expect(lane.isIdle).toBe(true);
});

test('however busy, a lane looks from the start every second, for rows that became visible behind its cursor', () => {
  const lane = new Lane(lease, 0);
  let lookedAt = 0;
  for (let now = 0; now < 5_000; now += 10) {
    if (lane.nextFetch(1, now, CLOCK_MS).after === START) lookedAt = now;
    lane.fetched({ rows: [row(now + 10_000)], fresh: 1, limit: 1 }, now);
    expect(now - lookedAt).toBeLessThanOrEqual(1_000);
  }
});

test('a lane is idle only after a look from the start found nothing and a while without anything new', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 0);
  expect(lane.isIdle).toBe(false);
  lane.nextFetch(10, 300, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 300);
  expect(lane.isIdle).toBe(true);
  lane.rowsInMemory = 1;
  expect(lane.isIdle).toBe(false);
  lane.rowsInMemory = 0;
  lane.wake();
  expect(lane.isIdle).toBe(false);
});

test('a look that left out what was in memory does not make a lane idle, though it was settled meanwhile', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [row(1_000)], fresh: 1, limit: 10 }, 0);
  lane.rowsInMemory = 1;
  lane.nextFetch(10, 1_300, CLOCK_MS);
  lane.rowsInMemory = 0;
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1_300);
  expect(lane.isIdle).toBe(false);
  lane.nextFetch(10, 1_600, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1_600);
  expect(lane.isIdle).toBe(true);
});

test('a busy lane looks every 10 ms, a quiet one every 100 ms, one that drains never', () => {
  const lane = new Lane(lease, 0);
  const mayFetchAt = (now: number) => {
    lane.poll(now);
    return lane.mayFetch;
  };
  const look = (now: number) => {
    lane.nextFetch(10, now, CLOCK_MS);
    lane.fetched({ rows: [], fresh: 0, limit: 10 }, now);
  };
  look(100);
  expect([mayFetchAt(105), mayFetchAt(110)]).toEqual([false, true]);
  look(1_000);
  expect([mayFetchAt(1_050), mayFetchAt(1_100)]).toEqual([false, true]);
  look(1_100);
  lane.isDraining = true;
  expect(mayFetchAt(5_000)).toBe(false);
});

test('while a lane looks, and while it leaves, it is no time to look again, however long that takes', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 300, CLOCK_MS);
  lane.poll(5_000);
  expect(lane.mayFetch).toBe(false);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 300);
  expect(lane.isIdle).toBe(true);
  lane.isLeaving = true;
  lane.poll(5_100);
  expect(lane.isIdle).toBe(true);
  lane.isLeaving = false;
  lane.poll(5_110);
  expect(lane.mayFetch).toBe(true);
});

test('after a fetch that failed a lane looks again', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  expect(lane.mayFetch).toBe(false);
  lane.fetchFailed();
  expect(lane.mayFetch).toBe(true);
});

test('a fetch that passed over tenants leaves the cursor before their rows', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [row(1_000), row(2_000)], fresh: 2, limit: 2 }, 0);
  lane.nextFetch(10, 1, CLOCK_MS);
  lane.fetchedPast({ rows: [row(9_000)], fresh: 1, limit: 10 }, 1);
  expect(lane.nextFetch(10, 2, CLOCK_MS).after.dueAtMs).toBeLessThanOrEqual(2_000);
  expect([lane.isIdle, lane.mayFetch]).toEqual([false, false]);
});

/** A lane whose reading from the start takes long, with a row due now. */
function dearLane(tookMs: number): Lane {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.rescanTook(tookMs);
  lane.rescanTook(tookMs);
  lane.fetched({ rows: [row(CLOCK_MS)], fresh: 1, limit: 10 }, 0);
  lane.rowsInMemory = 1;
  return lane;
}

/** When it reads from the start, looking every 100 ms. */
function rescansOf(lane: Lane, untilMs: number, from = 100): number[] {
  const times: number[] = [];
  for (let now = from; now <= untilMs; now += 100) {
    if (lane.nextFetch(10, now, CLOCK_MS).after === START) times.push(now);
    lane.fetched({ rows: [], fresh: 0, limit: 10 }, now);
  }
  return times;
}

test('in between a lane looks fifteen seconds back every second, also where it has a backlog to go on with', () => {
  const lane = dearLane(1_000);
  const looks: number[] = [];
  for (let now = 100; now <= 3_000; now += 100) {
    const { after } = lane.nextFetch(1, now, CLOCK_MS + now);
    if (after.dueAtMs <= CLOCK_MS + now - 15_000) looks.push(now);
    lane.fetched({ rows: [row(CLOCK_MS + now)], fresh: 1, limit: 1 }, now);
  }
  expect(looks).toEqual([1_000, 2_000, 3_000]);
});

test('where such a look failed the next one looks as far back', () => {
  const lane = dearLane(1_000);
  const isFar = (now: number) => lane.nextFetch(10, now, CLOCK_MS).after.dueAtMs === CLOCK_MS - 15_000;
  expect(isFar(1_000)).toBe(true);
  lane.fetchFailed();
  expect(isFar(1_010)).toBe(true);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1_010);
  expect(isFar(1_020)).toBe(false);
});

test('a lane with nothing to do is given back as soon as reads from the start allow it', () => {
  for (const [tookMs, at] of [
    [2, 300],
    [100, 400],
    [5_000, 10_000],
  ] as const) {
    const lane = dearLane(tookMs);
    lane.rowsInMemory = 0;
    let idleAt = 0;
    for (let now = 100; idleAt === 0; now += 100) {
      lane.nextFetch(10, now, CLOCK_MS);
      lane.fetched({ rows: [], fresh: 0, limit: 10 }, now);
      if (lane.isIdle) idleAt = now;
    }
    expect(idleAt).toBe(at);
  }
});

test('a read from the start that had to be, and failed or passed over tenants, comes again soon, dear as it is', () => {
  const failed = dearLane(3_000);
  failed.lookBack();
  failed.nextFetch(10, 100, CLOCK_MS);
  failed.fetchFailed();
  expect(rescansOf(failed, 1_000, 200)).toEqual([200]);
  const past = dearLane(500);
  past.lookBack();
  const reads: number[] = [];
  for (let now = 100; now <= 6_500; now += 100) {
    if (past.nextFetch(10, now, CLOCK_MS).after === START) reads.push(now);
    past.fetchedPast({ rows: [], fresh: 0, limit: 10 }, now);
    past.onFetchAdmitted();
    expect(past.takesFromMemory).toBe(false);
  }
  expect(reads).toEqual([100, 2_100, 4_100, 6_100]);
  expect(rescansOf(past, 10_000, 6_600)).toEqual([8_100]);
  past.onFetchAdmitted();
  expect(past.takesFromMemory).toBe(true);
  const timely = dearLane(3_000);
  timely.nextFetch(10, 60_000, CLOCK_MS);
  timely.fetchedPast({ rows: [], fresh: 0, limit: 10 }, 60_000);
  expect(rescansOf(timely, 70_000, 60_100)).toEqual([]);
});

test('a lane that was called while it was read from the start has something to do, however long that took', () => {
  const lane = dearLane(1_000);
  lane.rowsInMemory = 0;
  lane.wake();
  expect(rescansOf(lane, 20_000, 20_000)).toEqual([]);
  expect(rescansOf(lane, 20_100, 20_100)).toEqual([20_100]);
});

test('a look back that is asked for while the lane is read from the start has it read so again', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.lookBack();
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 0);
  lane.rowsInMemory = 1;
  expect(rescansOf(lane, 900, 100)).toEqual([100]);
});

test('one read from the start that took long, where Postgres stood still, makes them no rarer', () => {
  const lane = dearLane(2);
  lane.nextFetch(10, 1_000, CLOCK_MS);
  lane.rescanTook(5_000);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1_000);
  expect(rescansOf(lane, 2_500, 1_100)).toEqual([2_000]);
});

test('a lane is behind until a fetch that brought all that was due is taken in, but for one that is served carefully or drained', () => {
  const lane = new Lane(lease, 0);
  expect(lane.mayHaveUnreadDue).toBe(true);
  for (const rows of [[row(1_000), row(2_000)], [row(3_000)]]) {
    lane.nextFetch(2, 0, CLOCK_MS);
    lane.fetched({ rows, fresh: rows.length, limit: 2 }, 0);
    expect(lane.mayHaveUnreadDue).toBe(true);
    lane.onFetchAdmitted();
  }
  expect(lane.mayHaveUnreadDue).toBe(false);
  lane.fellBehind();
  expect(lane.mayHaveUnreadDue).toBe(true);
  lane.isCareful = true;
  expect(lane.mayHaveUnreadDue).toBe(false);
  lane.isCareful = false;
  lane.isDraining = true;
  expect(lane.mayHaveUnreadDue).toBe(false);
});

test('a lane that passed over tenants when it was taken is behind', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetchedPast({ rows: [], fresh: 0, limit: 10 }, 0);
  lane.onFetchAdmitted();
  expect(lane.mayHaveUnreadDue).toBe(true);
});

test('a fetch that stopped goes on there, at once, and the lane is behind until one comes to the end', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [row(1_000)], fresh: 1, limit: 10, stop: row(2_000) }, 0);
  lane.onFetchAdmitted();
  expect([lane.mayFetch, lane.mayHaveUnreadDue, lane.takesFromMemory]).toEqual([true, true, false]);
  expect(lane.nextFetch(10, 1, CLOCK_MS).after).toEqual(row(2_000));
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1);
  lane.onFetchAdmitted();
  expect([lane.mayFetch, lane.mayHaveUnreadDue]).toEqual([false, false]);
});

test('a fetch that brought all that it may goes on behind the last row, wherever it stopped', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(1, 0, CLOCK_MS);
  lane.fetched({ rows: [row(1_000)], fresh: 1, limit: 1, stop: row(2_000) }, 0);
  expect(lane.nextFetch(1, 1, CLOCK_MS).after).toEqual(row(1_000));
});

test('a lane that found nothing is not idle where its look from the start stopped', () => {
  const lane = new Lane(lease, 0);
  lane.nextFetch(10, 0, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 0);
  lane.nextFetch(10, 2_000, CLOCK_MS);
  lane.fetched({ rows: [], fresh: 0, limit: 10, stop: row(2_000) }, 2_000);
  lane.nextFetch(10, 2_001, CLOCK_MS);
  expect([lane.mayFetch, lane.isIdle]).toEqual([false, false]);
});

const NOW_MS = Date.UTC(2026, 10, 30);

/** A lane of a worker that reads from the start in parts: `read` brings nothing, within 2 ms. */
function laneInParts() {
  const starts = new StartReads();
  starts.isInParts = true;
  const lane = new Lane(lease, 0);
  const next = (now: number) => lane.nextFetch(10, now, NOW_MS + now, starts);
  const read = (now: number): LaneFetch => {
    const fetch = next(now);
    starts.took([lane], 2, 1, now);
    lane.fetched({ rows: [], fresh: 0, limit: 10 }, now);
    lane.onFetchAdmitted();
    return fetch;
  };
  /** Reads every 100 ms until the lane is not behind any more. @returns how far the parts that it read went, in ms from now */
  const readAll = (from: number): number[] => {
    const untils: number[] = [];
    for (let now = from; !lane.takesFromMemory && now < from + 20_000; now += 100) {
      const { untilMs } = read(now);
      if (untilMs !== undefined) untils.push(untilMs - NOW_MS);
    }
    return untils;
  };
  return { lane, next, read, readAll };
}

/** How often it began anew. */
const timesAnew = (untils: readonly number[]) => untils.filter((ms, i) => i > 0 && ms > untils[i - 1]!).length;

test('a lane that is taken while reads from the start are in parts is read so: the latest part first, and what is new in between', () => {
  const { lane, read } = laneInParts();
  const fetches = [0, 10, 20, 30].map((now) => {
    const { after, untilMs } = read(now);
    expect([lane.takesFromMemory, lane.isIdle]).toEqual([false, false]);
    return [after.dueAtMs - NOW_MS, untilMs === undefined ? null : untilMs - NOW_MS];
  });
  expect(fetches).toEqual([
    [-15_000, 0],
    [-15_000, null],
    [-255_000, -15_000],
    [-100, null],
  ]);
});

test('a lane that was read from the start in parts to the end takes rows from memory, and is not given back', () => {
  const { lane, readAll } = laneInParts();
  expect(timesAnew(readAll(0))).toBe(0);
  expect([lane.takesFromMemory, lane.mayFetch, lane.isIdle]).toEqual([true, false, false]);
});

test('a look back that is asked for while a lane is read from the start in parts begins at the end of these', () => {
  const { lane, read, readAll } = laneInParts();
  readAll(0);
  lane.lookBack();
  expect(lane.takesFromMemory).toBe(false);
  for (const now of [5_000, 5_100, 5_200]) read(now);
  lane.lookBack();
  expect(timesAnew(readAll(5_300))).toBe(1);
  expect(lane.takesFromMemory).toBe(true);
});

test('what finds no room while a lane is read in parts is read again, without a look from the start for it', () => {
  const { lane, next } = laneInParts();
  const part = next(0);
  lane.fetched({ rows: [row(NOW_MS - 10)], fresh: 1, limit: 10 }, 0);
  lane.onFetchNotAdmitted();
  expect(next(1).untilMs).toBe(undefined);
  lane.fetched({ rows: [row(NOW_MS - 5_000), row(NOW_MS + 1)], fresh: 2, limit: 2 }, 1);
  lane.onFetchNotAdmitted();
  expect(lane.mayFetch).toBe(true);
  expect(next(2)).toEqual(part);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 2);
  lane.onFetchAdmitted();
  expect(next(3).after.dueAtMs).toBe(NOW_MS - 5_000);
});

test('where a part is of tenants that are passed over all parts are read once more', () => {
  const { lane, next, readAll } = laneInParts();
  next(0);
  lane.fetchedPast({ rows: [], fresh: 0, limit: 10 }, 0);
  lane.onFetchAdmitted();
  expect(timesAnew(readAll(10))).toBe(1);
  expect(lane.takesFromMemory).toBe(true);
});

test('a part that failed is read again, smaller, and what is new before that', () => {
  const { lane, next } = laneInParts();
  expect(next(0).untilMs).toBe(NOW_MS);
  lane.fetchFailed();
  expect(next(1).untilMs).toBe(undefined);
  lane.fetched({ rows: [], fresh: 0, limit: 10 }, 1);
  lane.onFetchAdmitted();
  expect(next(2)).toMatchObject({ after: { dueAtMs: NOW_MS - 937.5 }, untilMs: NOW_MS });
});
