import { expect, test } from 'vitest';
import type { Desk } from './desk.ts';
import { SendScheduler } from './send-scheduler.ts';

const deskOf = (tenantNum: number, waiting = 0) =>
  ({ tenantNum, queuedIn: null, waiting: { length: waiting } }) as Desk;

/** Lets desks that always have something to send take slots until no more are given. @returns what each tenant got. */
function fill(scheduler: SendScheduler, desks: readonly Desk[]): number[] {
  const taken = new Map(desks.map((desk) => [desk.tenantNum, 0]));
  for (const desk of desks) scheduler.add(desk);
  for (let desk = scheduler.next(); desk !== undefined; desk = scheduler.next()) {
    scheduler.began(desk, 'first');
    taken.set(desk.tenantNum, taken.get(desk.tenantNum)! + 1);
    scheduler.add(desk);
  }
  return [...taken.values()];
}

test('a tenant alone gets three quarters of the slots, and the next one finds room at once', () => {
  const scheduler = new SendScheduler(100);
  const greedy = Array.from({ length: 50 }, () => deskOf(1));
  expect(fill(scheduler, greedy)).toEqual([75]);
  expect(fill(scheduler, [deskOf(2)])[0]).toBeGreaterThanOrEqual(15);
});

test('tenants that come together get equal shares, however many endpoints each has', () => {
  const many = Array.from({ length: 50 }, () => deskOf(1));
  const [a, b] = fill(new SendScheduler(140), [...many, deskOf(2)]);
  expect([a, b]).toEqual([60, 60]);
});

test('tenants take turns, and so do the endpoints of one', () => {
  const scheduler = new SendScheduler(100);
  const desks = [deskOf(1), deskOf(1), deskOf(2)];
  for (const desk of desks) scheduler.add(desk);
  expect([scheduler.next(), scheduler.next(), scheduler.next(), scheduler.next()]).toEqual([
    desks[0],
    desks[2],
    desks[1],
    undefined,
  ]);
});

test('retries and replays never take every slot, and all slots are free again when they have ended', () => {
  const scheduler = new SendScheduler(90);
  const desk = deskOf(1);
  let retries = 0;
  for (; scheduler.mayBegin('retry'); retries++) scheduler.began(desk, 'retry');
  expect(retries).toBe(60);
  let replays = 0;
  for (; scheduler.mayBegin('replay'); replays++) scheduler.began(desk, 'replay');
  expect(replays).toBe(15);
  expect(scheduler.mayBegin('first')).toBe(true);
  for (let i = 0; i < retries; i++) scheduler.ended(desk, 'retry');
  for (let i = 0; i < replays; i++) scheduler.ended(desk, 'replay');
  expect([scheduler.inFlight, scheduler.mayBegin('replay')]).toEqual([0, true]);
});

/** Each tenant takes what it can, one after the other, and keeps it. @returns what each got */
const takeInTurn = (scheduler: SendScheduler, tenants: number, first = 1) =>
  Array.from({ length: tenants }, (_, i) => fill(scheduler, [deskOf(first + i)])[0]!);

test('slow receivers of many tenants do not take the last slots: a tenant with little under way finds some', () => {
  const scheduler = new SendScheduler(1_024);
  takeInTurn(scheduler, 3);
  const late = takeInTurn(scheduler, 20, 100);
  expect(late.filter((slots) => slots === 0)).toEqual([]);
  expect(scheduler.inFlight).toBeLessThan(1_024);
  expect(fill(scheduler, [deskOf(1_000)])[0]).toBeGreaterThan(0);
});

test('slots that become free go to tenants that have less than half of an equal share, before others get more', () => {
  const scheduler = new SendScheduler(160);
  const big = Array.from({ length: 8 }, (_, i) => deskOf(1 + i));
  fill(scheduler, big);
  const small = deskOf(100);
  const others = fill(scheduler, big).reduce((sum, slots) => sum + slots, 0);
  let got = fill(scheduler, [small])[0]!;
  for (let i = 0; i < 30; i++) {
    scheduler.ended(big[i % big.length]!, 'first');
    scheduler.add(small);
    for (const desk of big) scheduler.add(desk);
    for (let desk = scheduler.next(); desk !== undefined; desk = scheduler.next()) {
      if (desk === small) got++;
      scheduler.began(desk, 'first');
      scheduler.add(desk);
    }
  }
  expect(others).toBe(0);
  // Half of 160 / 9.
  expect(got).toBeGreaterThanOrEqual(9);
  expect(got).toBeLessThan(30);
});

test('the retries of many tenants do not keep back those of another one, and leave slots to first attempts', () => {
  const scheduler = new SendScheduler(160);
  const desks = Array.from({ length: 20 }, (_, i) => deskOf(1 + i));
  const retry = (desk: Desk) => {
    scheduler.add(desk);
    if (scheduler.next() !== desk || !scheduler.mayBegin('retry')) return false;
    scheduler.began(desk, 'retry');
    return true;
  };
  for (let isAny = true; isAny; ) isAny = desks.map(retry).includes(true);
  const free = 160 - scheduler.inFlight;
  expect(free).toBeGreaterThanOrEqual(50);
  expect(retry(deskOf(1_000))).toBe(true);
  for (let num = 2_000; num < 2_200; num++) retry(deskOf(num));
  expect(scheduler.inFlight).toBeLessThan(160);
});

test('places are counted out as slots are given: by tenant, with what waits already, and no more than there are', () => {
  const scheduler = new SendScheduler(100);
  const take = (places: ReturnType<SendScheduler['places']>, tenantNum: number, kind?: 'retry' | 'replay') => {
    let taken = 0;
    while (taken < 200 && places.take(tenantNum, kind)) taken++;
    return taken;
  };
  expect(take(scheduler.places(), 1)).toBe(75);
  expect([take(scheduler.places(), 1, 'retry'), take(scheduler.places(), 1, 'replay')]).toEqual([67, 50]);
  const places = scheduler.places();
  const [first, second] = [take(places, 1), take(places, 2)];
  expect([first, second]).toEqual([75, 19]);
  expect(take(places, 1)).toBe(0);
  fill(scheduler, [deskOf(1)]);
  expect(scheduler.of(1)).toMatchObject({ inFlight: 75, last: 75 });
  expect(take(scheduler.places(), 1)).toBe(0);
});

test('a desk has a slot for what waits there only if one of its kinds may begin', () => {
  const scheduler = new SendScheduler(90);
  const other = deskOf(1);
  const waiting = (kind: 'first' | 'retry') => ({ lengthOf: (each: string) => (each === kind ? 1 : 0) });
  const desk = (kind: 'first' | 'retry') => ({ ...deskOf(1), waiting: waiting(kind) }) as unknown as Desk;
  expect([scheduler.hasSlotFor(desk('first')), scheduler.hasSlotFor(desk('retry'))]).toEqual([true, true]);
  for (let i = 0; i < 60; i++) scheduler.began(other, 'retry');
  expect([scheduler.hasSlotFor(desk('first')), scheduler.hasSlotFor(desk('retry'))]).toEqual([true, false]);
  for (let i = 0; i < 8; i++) scheduler.began(other, 'first');
  expect(scheduler.hasSlotFor(desk('first'))).toBe(false);
});

test('no more replays are let in at once, of however many tenants, than begin; first attempts have places beside them', () => {
  const scheduler = new SendScheduler(100);
  const places = scheduler.places();
  for (let num = 1; num <= 100; num++) places.take(num, 'replay');
  const desks = Array.from({ length: 100 }, (_, i) => deskOf(1 + i));
  let begun = 0;
  for (const desk of desks) {
    scheduler.add(desk);
    if (scheduler.next() !== desk || !scheduler.mayBegin('replay')) continue;
    scheduler.began(desk, 'replay');
    begun++;
  }
  const again = new SendScheduler(100).places();
  expect(desks.filter(({ tenantNum }) => again.take(tenantNum, 'replay'))).toHaveLength(begun);
  expect([again.take(200, 'replay'), again.take(200)]).toEqual([false, true]);
});

test('what waits for its turn has its slots before rows that are to come', () => {
  const scheduler = new SendScheduler(100);
  for (const rows of [20, 10]) scheduler.add(deskOf(1, rows));
  const places = scheduler.places();
  let taken = 0;
  while (places.take(1)) taken++;
  expect(taken).toBe(45);
});

test('what waits of a tenant that has its share keeps no slots from others, whoever is asked for first', () => {
  const scheduler = new SendScheduler(1_024);
  for (let i = 0; i < 768; i++) scheduler.began(deskOf(1), 'first');
  scheduler.add(deskOf(1, 300));
  const places = scheduler.places();
  expect([places.take(1), places.take(2)]).toEqual([false, true]);
});

test('the reserve goes the slower the less there is: who has one request under way may have a second, who has three may not', () => {
  const scheduler = new SendScheduler(1_024);
  for (let num = 0; num < 100; num++) for (let i = 0; i < 10; i++) scheduler.began(deskOf(num), 'first');
  const [one, three] = [deskOf(200), deskOf(300)];
  scheduler.began(one, 'first');
  for (let i = 0; i < 3; i++) scheduler.began(three, 'first');
  const takes = (desk: Desk) => scheduler.places().take(desk.tenantNum);
  // 20 of 64 are left.
  expect([takes(deskOf(0)), takes(one), takes(three), takes(deskOf(400))]).toEqual([false, false, false, true]);
  for (let num = 0; num < 16; num++) scheduler.ended(deskOf(num), 'first');
  expect([takes(deskOf(0)), takes(one), takes(three)]).toEqual([false, true, false]);
  for (let num = 0; num < 28; num++) scheduler.ended(deskOf(num), 'first');
  expect([takes(deskOf(0)), takes(one), takes(three)]).toEqual([false, true, true]);
});

test('tenants whose requests have ended do not make the shares of others smaller', () => {
  const scheduler = new SendScheduler(160);
  for (let num = 0; num < 100; num++) {
    scheduler.began(deskOf(num), 'first');
    scheduler.ended(deskOf(num), 'first');
  }
  for (let i = 0; i < 110; i++) scheduler.began(deskOf(1_000), 'first');
  for (let i = 0; i < 40; i++) scheduler.began(deskOf(1_001), 'first');
  // The last ten are the reserve.
  expect(fill(scheduler, [deskOf(2)])[0]).toBe(2);
});

test('where requests end fast all slots are given out, and the reserve is kept again when they do not', () => {
  const scheduler = new SendScheduler(160);
  const desks = Array.from({ length: 20 }, (_, i) => deskOf(1 + i));
  const free = () => {
    fill(scheduler, desks);
    return 160 - scheduler.inFlight;
  };
  const endAll = () => {
    for (const desk of desks) while (scheduler.of(desk.tenantNum).inFlight > 0) scheduler.ended(desk, 'first');
  };
  expect(free()).toBe(10);
  scheduler.look(0);
  endAll();
  fill(scheduler, desks);
  scheduler.look(99);
  expect(free()).toBe(10);
  scheduler.look(100);
  expect(free()).toBeLessThan(4);
  endAll();
  scheduler.look(250);
  fill(scheduler, desks);
  scheduler.look(400);
  endAll();
  expect(free()).toBe(10);
});

test('a desk that left is not asked', () => {
  const scheduler = new SendScheduler(10);
  const desk = deskOf(1);
  scheduler.add(desk);
  scheduler.delete(desk);
  expect(scheduler.next()).toBeUndefined();
});
