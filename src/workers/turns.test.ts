import { expect, test } from 'vitest';
import type { Desk } from './desk.ts';
import { Turns } from './turns.ts';

const deskOf = (tenantNum: number) => ({ tenantNum, turns: null }) as Desk;

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

test('a desk that left is not asked', () => {
  const turns = new Turns(10);
  const desk = deskOf(1);
  turns.add(desk);
  turns.delete(desk);
  expect(turns.next()).toBeUndefined();
});
