import { beforeEach, describe, expect, test } from 'vitest';
import { Gate } from '../delivery/gate.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { CLASSES, type DeliveryClass, START } from '../store/mailbox.ts';
import { Desk } from './desk.ts';
import type { Letter } from './letter-queue.ts';
import { onRefillAdmitted, ParkedBacklog } from './parked-backlog.ts';
import { type Places, SendScheduler } from './send-scheduler.ts';

const NOW = Date.UTC(2026, 10, 26);

let backlog: ParkedBacklog;

beforeEach(() => {
  backlog = new ParkedBacklog();
});

/** A desk with a parked backlog whose endpoint has as many requests under way as it takes. */
function fullDesk(settings: Partial<DeliveryTarget>): Desk {
  const desk = new Desk(1, 0);
  desk.target = { enabled: true, deleted: false, maxInFlight: 1, rateLimit: null, ...settings } as DeliveryTarget;
  desk.gate = Gate.restore(null, { cap: 1, rate: null }, NOW);
  desk.flights.begin({ letter: {} as Letter, kind: 'first', request: null, place: -1 });
  desk.markParked();
  return desk;
}

/** There is one place. */
function takeOnce(): () => boolean {
  let left = 1;
  return () => left-- > 0;
}

const IDLE_SCHEDULER = { of: () => ({ inFlight: 0, last: 0 }) };

const refillsAt = (nowMs: number, desk: Desk, isServed = true) =>
  backlog.refillsOf([desk], { isServed: () => isServed, places: null, scheduler: IDLE_SCHEDULER, nowMs }).refills;

const chosen = (desk: Desk, isServed = true) => [
  ...new Set(refillsAt(NOW, desk, isServed).map((refill) => refill.desk)),
];

test('an endpoint that takes no more gets no more of its backlog', () => {
  const desk = fullDesk({});
  expect(chosen(desk)).toEqual([]);
  desk.flights.abandon();
  expect(chosen(desk)).toEqual([desk]);
});

test('the backlog of a deleted endpoint is taken up, to be cancelled, although its receiver still holds a request', () => {
  const desk = fullDesk({ deleted: true });
  expect(chosen(desk)).toEqual([desk]);
});

test('a disabled endpoint and a lane that is not served keep their backlog', () => {
  expect(chosen(fullDesk({ enabled: false }))).toEqual([]);
  expect(chosen(fullDesk({ deleted: true }), false)).toEqual([]);
});

test('an endpoint whose rate has it wait gets of its backlog what it may send soon, shortly before it may', () => {
  const rateLimit = { perSecond: 0.1, burst: 1 };
  const desk = fullDesk({ maxInFlight: 16, rateLimit });
  desk.flights.abandon();
  desk.gate = Gate.restore(null, { cap: 16, rate: rateLimit }, NOW);
  expect(refillsAt(NOW, desk).map(({ fetch }) => fetch.limit)).toEqual([2, 1, 1]);
  desk.gate.begin(NOW);
  const chosenAfter = (ms: number) => refillsAt(NOW + ms, desk).length;
  expect([chosenAfter(9_000), chosenAfter(9_900)]).toEqual([0, 3]);
});

test.each([
  [null, 16],
  [{ perSecond: 0.1, burst: 1 }, 1],
  [{ perSecond: 4.5, burst: 1 }, 5],
  [{ perSecond: 1, burst: 9.5 }, 9],
  [{ perSecond: 500, burst: 500 }, 16],
])('of a rate of %j an endpoint that takes 16 at once takes %i within a second', (rateLimit, requests) => {
  expect(fullDesk({ maxInFlight: 16, rateLimit }).maxUsefulInFlight).toBe(requests);
});

test('a read that went on from a cursor and came to the end says nothing of what is before it: the next begins at the start', () => {
  const desk = fullDesk({});
  desk.flights.abandon();
  desk.parked.first.cursor = { dueAtMs: NOW, eventUuid: '01890a5d-ac96-774b-bcce-b302099a8057', endpointNum: 1 };
  const refill = () => {
    for (const each of refillsAt(NOW, desk)) onRefillAdmitted(each, []);
  };
  refill();
  expect([desk.hasParked, desk.parked.first.cursor]).toEqual([true, START]);
  refill();
  expect(desk.hasParked).toBe(false);
});

/** Desks of tenants, each with room for two at once. */
function desksOf(...tenants: number[]): Desk[] {
  return tenants.map((tenantNum, i) => {
    const desk = new Desk(i + 1, 0);
    desk.target = { enabled: true, deleted: false, maxInFlight: 2, rateLimit: null, tenantNum } as DeliveryTarget;
    desk.gate = Gate.restore(null, { cap: 2, rate: null }, NOW);
    desk.markParked();
    return desk;
  });
}

describe('where more endpoints have a backlog than are read at once', () => {
  /** Whose backlogs are read in one round. */
  function read(desks: readonly Desk[]): ReadonlySet<Desk> {
    const options = { isServed: () => true, places: null, scheduler: IDLE_SCHEDULER, nowMs: NOW };
    return new Set(backlog.refillsOf(desks, options).refills.map(({ desk }) => desk));
  }

  const many = (tenantNum: number) => Array<number>(1_000).fill(tenantNum);

  test('tenants are read in turn, however many endpoints one of them has, and so are the endpoints of one tenant', () => {
    const desks = desksOf(...many(1), 2, 3, 3);
    const [one, two, three] = desks.slice(-3);
    const readOften = new Map(desks.map((desk) => [desk, 0]));
    for (let round = 0; round < 34; round++) {
      const now = read(desks);
      expect([now.size, now.has(one!), now.has(two!), now.has(three!)]).toEqual([64, true, true, true]);
      for (const desk of now) readOften.set(desk, readOften.get(desk)! + 1);
    }
    const times = desks.slice(0, 1_000).map((desk) => readOften.get(desk)!);
    expect([Math.min(...times), Math.max(...times)]).toEqual([2, 3]);
  });

  test('of more tenants than are read at once each has its turn in time, whether it wants more all the time or not', () => {
    const desks = desksOf(...Array.from({ length: 100 }, (_, i) => i), ...Array.from({ length: 100 }, (_, i) => i));
    const served = new Set<number>();
    let last: ReadonlySet<Desk> = new Set();
    for (let round = 0; round < 4; round++) {
      // Who was read a moment ago has something to send first.
      last = read(desks.filter((desk) => !last.has(desk)));
      expect(last.size).toBe(64);
      for (const { tenantNum } of last) served.add(tenantNum);
    }
    expect(served.size).toBe(100);
  });

  test('endpoints that come one after the other do not keep one waiting that was there before', () => {
    const desks = desksOf(...many(1));
    const [first, ...others] = desks;
    const isRead = (round: number) => read([first!, ...others.slice(round * 100, round * 100 + 100)]).has(first!);
    expect([0, 1, 2, 3, 4, 5].map(isRead)).toEqual([true, true, true, true, true, true]);
  });
});

describe('where only as many rows come as there are slots for', () => {
  /** As many slots for each tenant as it has endpoints here, or as are said. */
  function refill(desks: readonly Desk[], slots: Record<number, number>, turns: Record<number, [number, number]> = {}) {
    const left = new Map(Object.entries(slots).map(([num, count]) => [Number(num), count]));
    const take = (tenantNum: number) => {
      const free = left.get(tenantNum) ?? 0;
      left.set(tenantNum, free - 1);
      return free > 0;
    };
    const of = (num: number) => ({ inFlight: turns[num]?.[0] ?? 0, last: turns[num]?.[1] ?? 0 });
    const options = { isServed: () => true, places: { take }, scheduler: { of }, nowMs: NOW };
    const { refills, isAll } = backlog.refillsOf(desks, options);
    return { rows: refills.map(({ fetch }) => [fetch.endpointNum, fetch.limit]), isAll };
  }

  test('each endpoint of a tenant gets one row before any gets a second one, and none gets more than is of use', () => {
    expect(refill(desksOf(1, 1, 1), { 1: 4 })).toEqual({
      rows: [
        [1, 2],
        [2, 1],
        [3, 1],
      ],
      isAll: true,
    });
    expect(refill(desksOf(1), { 1: 100 })).toEqual({ rows: [[1, 2]], isAll: true });
  });

  test('what finds no slot is known to be left', () => {
    expect(refill(desksOf(1, 2, 1), { 1: 1 })).toEqual({ rows: [[1, 1]], isAll: false });
  });

  test('tenants with the least under way go first, and among them the one whose turn was longest ago', () => {
    const { rows } = refill(desksOf(1, 2, 3), { 1: 1, 2: 1, 3: 1 }, { 1: [1, 5], 2: [0, 9], 3: [0, 7] });
    expect(rows.map(([num]) => num)).toEqual([3, 2, 1]);
  });

  test('an endpoint whose backlog was read longer ago goes before another one of its tenant', () => {
    const desks = desksOf(1, 1);
    const nums = Array.from({ length: 4 }, () => refill(desks, { 1: 1 }).rows[0]![0]);
    expect(nums).toEqual([1, 2, 1, 2]);
    // However often it was read before, an endpoint does not wait until a new one has been read as often.
    const [, , added] = desksOf(1, 1, 1);
    const more = Array.from({ length: 6 }, () => refill([...desks, added!], { 1: 1 }).rows[0]![0]);
    expect(more).toEqual([1, 2, 3, 1, 2, 3]);
  });

  test('rows of each class are read in the turns in which they are sent, however few are read at once', () => {
    const desks = desksOf(1);
    const read = Array.from({ length: 12 }, () => {
      const options = { isServed: () => true, places: { take: takeOnce() }, scheduler: IDLE_SCHEDULER, nowMs: NOW };
      return backlog.refillsOf(desks, options).refills.map(({ fetch }) => fetch.kind);
    }).flat();
    const count = (kind: string) => read.filter((each) => each === kind).length;
    expect([count('first'), count('retry'), count('replay')]).toEqual([8, 3, 1]);
  });

  /** What is read of a desk, one row at a time, where a slot is free for these classes only. */
  const readOneByOne = (desk: Desk, times: number, mayBegin: (kind: string | undefined) => boolean) =>
    Array.from({ length: times }, () => {
      let left = 1;
      const take = (_num: number, kind?: string) => mayBegin(kind) && left-- > 0;
      return backlog.refillsOf([desk], {
        isServed: () => true,
        places: { take },
        scheduler: IDLE_SCHEDULER,
        nowMs: NOW,
      }).refills;
    }).map((refills) => refills.map(({ fetch }) => fetch.kind));

  test('a parked class that may not begin leaves its turn to the others, and no slot is given to it in vain', () => {
    const [desk] = desksOf(1);
    expect(readOneByOne(desk!, 12, (kind) => kind === 'first')).toEqual(Array(12).fill(['first']));
    desk!.parked.first.hasRows = false;
    expect(readOneByOne(desk!, 12, (kind) => kind === 'first').flat()).toEqual([]);
  });

  test('a slot that no class could have costs none its turn', () => {
    const [desk, other] = desksOf(1, 1);
    const turns = readOneByOne(other!, 12, () => true);
    const withPauses = turns.map(() => {
      expect(readOneByOne(desk!, 5, () => false).flat()).toEqual([]);
      return readOneByOne(desk!, 1, () => true)[0];
    });
    expect(withPauses).toEqual(turns);
  });

  /**
   * Of 100 slots 50 are taken by replays of other tenants, so that no replay may begin, and five by the desks' own tenant, so that it does
   * not come first.
   */
  function crowdedScheduler(): SendScheduler {
    const scheduler = new SendScheduler(100);
    for (const desk of desksOf(...Array.from({ length: 50 }, (_, i) => 100 + i))) scheduler.began(desk, 'replay');
    for (const desk of desksOf(1, 1, 1, 1, 1)) scheduler.began(desk, 'first');
    return scheduler;
  }

  /** Desks of that tenant, each with rows of one class. */
  const desksWith = (...kinds: DeliveryClass[]) =>
    desksOf(...kinds.map(() => 1)).map((desk, i) => {
      for (const kind of CLASSES) desk.parked[kind].hasRows = kind === kinds[i];
      return desk;
    });

  const readOf = (desks: readonly Desk[], scheduler: SendScheduler, places = scheduler.places()) =>
    backlog
      .refillsOf(desks, { isServed: () => true, places, scheduler, nowMs: NOW })
      .refills.map(({ fetch }) => fetch.endpointNum);

  test('an endpoint whose parked replays may not begin keeps out no other endpoint of its tenant', () => {
    const scheduler = crowdedScheduler();
    expect(scheduler.places().take(1, 'replay')).toBe(false);
    const desks = desksWith('replay', 'first', 'first');
    expect(readOf(desks, scheduler)).toEqual([2, 3]);
    expect(readOf(desks, scheduler)).toEqual([2, 3]);
  });

  test('an endpoint that takes few keeps from no other one of its tenant what that takes', () => {
    const desks = desksWith('first', 'first');
    desks[0]!.gate = Gate.restore(null, { cap: 1, rate: null }, NOW);
    expect(refill(desks, { 1: 9 }).rows).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('however many endpoints have what may not begin, no more is asked for than once by class, and the turn of their tenant is not lost', () => {
    const desks = desksWith(...Array<DeliveryClass>(3_000).fill('replay'), 'first');
    const scheduler = crowdedScheduler();
    const places = scheduler.places();
    const asked: string[] = [];
    const take: Places['take'] = (num, kind) => {
      const isTaken = places.take(num, kind);
      if (!isTaken) asked.push(`${num} ${kind}`);
      return isTaken;
    };
    const [other] = desksOf(2);
    other!.parked.replay.hasRows = other!.parked.retry.hasRows = false;
    let left = 2;
    expect(readOf([...desks, other!], scheduler, { take: (...of) => take(...of) && left-- > 0 })).toEqual([1, 3_001]);
    expect(asked).toEqual(['1 replay']);
  });

  test('an endpoint that has in memory what it takes gets no place for another class', () => {
    const desks = desksOf(1);
    for (let i = 0; i < 2; i++) desks[0]!.waiting.push({ due: { isReplay: true, step: 0 } } as Letter);
    expect(refill(desks, { 1: 9 })).toEqual({ rows: [], isAll: true });
  });

  test('what waits for a deleted endpoint is cancelled, slots or not', () => {
    const desks = desksOf(1, 2);
    desks[1]!.target = { ...desks[1]!.target!, deleted: true };
    expect(refill(desks, {})).toEqual({
      rows: [
        [2, 3],
        [2, 1],
      ],
      isAll: false,
    });
  });

  test('however many deleted endpoints have a backlog, that of another tenant has its turn', () => {
    const desks = desksOf(...Array.from({ length: 70 }, () => 1), 2);
    for (const desk of desks.slice(0, 70)) desk.target = { ...desk.target!, deleted: true };
    const chosen = new Set<number>();
    for (let i = 0; i < 2; i++) for (const [num] of refill(desks, { 2: 1 }).rows) chosen.add(num!);
    expect(chosen.size).toBe(71);
  });
});
