import { expect, test } from 'vitest';
import type { Desk } from './desk.ts';
import { Turns } from './turns.ts';

const deskOf = (tenantNum: number, waiting = 0) => ({ tenantNum, turns: null, waiting: { length: waiting } }) as Desk;

/** Lets desks that always have something to send take slots until no more are given. @returns what each tenant got. */
function fill(turns: Turns, desks: readonly Desk[]): number[] {
  const taken = new Map(desks.map((desk) => [desk.tenantNum, 0]));
  for (const desk of desks) turns.add(desk);
  for (let desk = turns.next(); desk !== undefined; desk = turns.next()) {
    turns.began(desk, 'first');
    taken.set(desk.tenantNum, taken.get(desk.tenantNum)! + 1);
    turns.add(desk);
  }
  return [...taken.values()];
}

test('a tenant alone gets three quarters of the slots, and the next one finds room at once', () => {
  const turns = new Turns(100);
  const greedy = Array.from({ length: 50 }, () => deskOf(1));
  expect(fill(turns, greedy)).toEqual([75]);
  expect(fill(turns, [deskOf(2)])[0]).toBeGreaterThanOrEqual(15);
});

test('tenants that come together get equal shares, however many endpoints each has', () => {
  const many = Array.from({ length: 50 }, () => deskOf(1));
  const [a, b] = fill(new Turns(140), [...many, deskOf(2)]);
  expect([a, b]).toEqual([60, 60]);
});

test('tenants take turns, and so do the endpoints of one', () => {
  const turns = new Turns(100);
  const desks = [deskOf(1), deskOf(1), deskOf(2)];
  for (const desk of desks) turns.add(desk);
  expect([turns.next(), turns.next(), turns.next(), turns.next()]).toEqual([desks[0], desks[2], desks[1], undefined]);
});

test('retries and replays never take every slot, and all slots are free again when they have ended', () => {
  const turns = new Turns(90);
  const desk = deskOf(1);
  let retries = 0;
  for (; turns.mayBegin('retry'); retries++) turns.began(desk, 'retry');
  expect(retries).toBe(60);
  let replays = 0;
  for (; turns.mayBegin('replay'); replays++) turns.began(desk, 'replay');
  expect(replays).toBe(15);
  expect(turns.mayBegin('first')).toBe(true);
  for (let i = 0; i < retries; i++) turns.ended(desk, 'retry');
  for (let i = 0; i < replays; i++) turns.ended(desk, 'replay');
  expect([turns.inFlight, turns.mayBegin('replay')]).toEqual([0, true]);
});

/** Each tenant takes what it can, one after the other, and keeps it. @returns what each got */
const takeInTurn = (turns: Turns, tenants: number, first = 1) =>
  Array.from({ length: tenants }, (_, i) => fill(turns, [deskOf(first + i)])[0]!);

test('slow receivers of many tenants do not take the last slots: a tenant with little under way finds some', () => {
  const turns = new Turns(1_024);
  takeInTurn(turns, 3);
  const late = takeInTurn(turns, 20, 100);
  expect(late.filter((slots) => slots === 0)).toEqual([]);
  expect(turns.inFlight).toBeLessThan(1_024);
  expect(fill(turns, [deskOf(1_000)])[0]).toBeGreaterThan(0);
});

test('slots that become free go to tenants that have less than half of an equal share, before others get more', () => {
  const turns = new Turns(160);
  const big = Array.from({ length: 8 }, (_, i) => deskOf(1 + i));
  fill(turns, big);
  const small = deskOf(100);
  const others = fill(turns, big).reduce((sum, slots) => sum + slots, 0);
  let got = fill(turns, [small])[0]!;
  for (let i = 0; i < 30; i++) {
    turns.ended(big[i % big.length]!, 'first');
    turns.add(small);
    for (const desk of big) turns.add(desk);
    for (let desk = turns.next(); desk !== undefined; desk = turns.next()) {
      if (desk === small) got++;
      turns.began(desk, 'first');
      turns.add(desk);
    }
  }
  expect(others).toBe(0);
  // Half of 160 / 9.
  expect(got).toBeGreaterThanOrEqual(9);
  expect(got).toBeLessThan(30);
});

test('the retries of many tenants do not keep back those of another one, and leave slots to first attempts', () => {
  const turns = new Turns(160);
  const desks = Array.from({ length: 20 }, (_, i) => deskOf(1 + i));
  const retry = (desk: Desk) => {
    turns.add(desk);
    if (turns.next() !== desk || !turns.mayBegin('retry')) return false;
    turns.began(desk, 'retry');
    return true;
  };
  for (let isAny = true; isAny; ) isAny = desks.map(retry).includes(true);
  const free = 160 - turns.inFlight;
  expect(free).toBeGreaterThanOrEqual(50);
  expect(retry(deskOf(1_000))).toBe(true);
  for (let num = 2_000; num < 2_200; num++) retry(deskOf(num));
  expect(turns.inFlight).toBeLessThan(160);
});

test('places are counted out as slots are given: by tenant, with what waits already, and no more than there are', () => {
  const turns = new Turns(100);
  const take = (places: ReturnType<Turns['places']>, tenantNum: number, kind?: 'retry' | 'replay') => {
    let taken = 0;
    while (taken < 200 && places.take(tenantNum, kind)) taken++;
    return taken;
  };
  expect(take(turns.places(), 1)).toBe(75);
  expect([take(turns.places(), 1, 'retry'), take(turns.places(), 1, 'replay')]).toEqual([67, 50]);
  const places = turns.places();
  const [first, second] = [take(places, 1), take(places, 2)];
  expect([first, second]).toEqual([75, 19]);
  expect(take(places, 1)).toBe(0);
  fill(turns, [deskOf(1)]);
  expect(turns.of(1)).toMatchObject({ inFlight: 75, last: 75 });
  expect(take(turns.places(), 1)).toBe(0);
});

test('a desk has a slot for what waits there only if one of its kinds may begin', () => {
  const turns = new Turns(90);
  const other = deskOf(1);
  const waiting = (kind: 'first' | 'retry') => ({ lengthOf: (each: string) => (each === kind ? 1 : 0) });
  const desk = (kind: 'first' | 'retry') => ({ ...deskOf(1), waiting: waiting(kind) }) as unknown as Desk;
  expect([turns.hasSlotFor(desk('first')), turns.hasSlotFor(desk('retry'))]).toEqual([true, true]);
  for (let i = 0; i < 60; i++) turns.began(other, 'retry');
  expect([turns.hasSlotFor(desk('first')), turns.hasSlotFor(desk('retry'))]).toEqual([true, false]);
  for (let i = 0; i < 8; i++) turns.began(other, 'first');
  expect(turns.hasSlotFor(desk('first'))).toBe(false);
});

test('no more replays are let in at once, of however many tenants, than begin; first attempts have places beside them', () => {
  const turns = new Turns(100);
  const places = turns.places();
  for (let num = 1; num <= 100; num++) places.take(num, 'replay');
  const desks = Array.from({ length: 100 }, (_, i) => deskOf(1 + i));
  let begun = 0;
  for (const desk of desks) {
    turns.add(desk);
    if (turns.next() !== desk || !turns.mayBegin('replay')) continue;
    turns.began(desk, 'replay');
    begun++;
  }
  const again = new Turns(100).places();
  expect(desks.filter(({ tenantNum }) => again.take(tenantNum, 'replay'))).toHaveLength(begun);
  expect([again.take(200, 'replay'), again.take(200)]).toEqual([false, true]);
});

test('what waits for its turn has its slots before rows that are to come', () => {
  const turns = new Turns(100);
  for (const rows of [20, 10]) turns.add(deskOf(1, rows));
  const places = turns.places();
  let taken = 0;
  while (places.take(1)) taken++;
  expect(taken).toBe(45);
});

test('what waits of a tenant that has its share keeps no slots from others, whoever is asked for first', () => {
  const turns = new Turns(1_024);
  for (let i = 0; i < 768; i++) turns.began(deskOf(1), 'first');
  turns.add(deskOf(1, 300));
  const places = turns.places();
  expect([places.take(1), places.take(2)]).toEqual([false, true]);
});

test('the reserve goes the slower the less there is: who has one request under way may have a second, who has three may not', () => {
  const turns = new Turns(1_024);
  for (let num = 0; num < 100; num++) for (let i = 0; i < 10; i++) turns.began(deskOf(num), 'first');
  const [one, three] = [deskOf(200), deskOf(300)];
  turns.began(one, 'first');
  for (let i = 0; i < 3; i++) turns.began(three, 'first');
  const takes = (desk: Desk) => turns.places().take(desk.tenantNum);
  // 20 of 64 are left.
  expect([takes(deskOf(0)), takes(one), takes(three), takes(deskOf(400))]).toEqual([false, false, false, true]);
  for (let num = 0; num < 16; num++) turns.ended(deskOf(num), 'first');
  expect([takes(deskOf(0)), takes(one), takes(three)]).toEqual([false, true, false]);
  for (let num = 0; num < 28; num++) turns.ended(deskOf(num), 'first');
  expect([takes(deskOf(0)), takes(one), takes(three)]).toEqual([false, true, true]);
});

test('tenants whose requests have ended do not make the shares of others smaller', () => {
  const turns = new Turns(160);
  for (let num = 0; num < 100; num++) {
    turns.began(deskOf(num), 'first');
    turns.ended(deskOf(num), 'first');
  }
  for (let i = 0; i < 110; i++) turns.began(deskOf(1_000), 'first');
  for (let i = 0; i < 40; i++) turns.began(deskOf(1_001), 'first');
  // The last ten are the reserve.
  expect(fill(turns, [deskOf(2)])[0]).toBe(2);
});

test('where requests end fast all slots are given out, and the reserve is kept again when they do not', () => {
  const turns = new Turns(160);
  const desks = Array.from({ length: 20 }, (_, i) => deskOf(1 + i));
  const free = () => {
    fill(turns, desks);
    return 160 - turns.inFlight;
  };
  const endAll = () => {
    for (const desk of desks) while (turns.of(desk.tenantNum).inFlight > 0) turns.ended(desk, 'first');
  };
  expect(free()).toBe(10);
  turns.look(0);
  endAll();
  fill(turns, desks);
  turns.look(99);
  expect(free()).toBe(10);
  turns.look(100);
  expect(free()).toBeLessThan(4);
  endAll();
  turns.look(250);
  fill(turns, desks);
  turns.look(400);
  endAll();
  expect(free()).toBe(10);
});

test('a desk that left is not asked', () => {
  const turns = new Turns(10);
  const desk = deskOf(1);
  turns.add(desk);
  turns.delete(desk);
  expect(turns.next()).toBeUndefined();
});
