import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DueDelivery } from '../store/mailbox.ts';
import { Lane } from './lane.ts';
import { MemoryShares } from './memory-shares.ts';
import { RowsInMemory } from './rows-in-memory.ts';

const MAX_BYTES = 1_600;

let now: number;
let inMemory: RowsInMemory;
let isCrowded: boolean;
let memory: MemoryShares;
let rows: number;
const lane = new Lane({ lane: 0, epoch: 1 }, 0);

beforeEach(() => {
  now = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  inMemory = new RowsInMemory();
  isCrowded = false;
  memory = new MemoryShares(inMemory, { maxInFlight: 1_000, maxBytes: MAX_BYTES, pauseMs: () => 0 }, () => isCrowded);
  rows = 0;
});

afterEach(() => vi.restoreAllMocks());

function add(tenantNum: number, bytes: number): void {
  const due = { eventUuid: `e${++rows}`, endpointNum: tenantNum, tenantNum, order: null, dueAtMs: 0 } as DueDelivery;
  inMemory.add(due, lane, bytes);
}

/** A tenant takes bodies for as long as it may. @returns how many */
function fill(tenantNum: number, bytes: number): number {
  for (let taken = 0; ; taken++) {
    if (!memory.tenantMayHaveMore(tenantNum)) return taken;
    add(tenantNum, bytes);
  }
}

test('of the last eighth of the bytes only tenants with few have some, and ever fewer, so that several find a place', () => {
  expect(fill(1, 20)).toBe(60);
  expect(memory.areBytesShort).toBe(false);
  expect(fill(2, 20)).toBe(11);
  expect([memory.areBytesShort, memory.hasBytes, memory.tenantMayHaveMore(1), memory.tenantMayHaveMore(2)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  const taken = [3, 4, 5, 6].map((num) => fill(num, 20));
  expect(taken.every((bodies) => bodies > 0)).toBe(true);
  expect(memory.hasBytes).toBe(true);
});

test('who holds few bytes has more of them while the reserve is whole, though it holds some', () => {
  fill(1, 20);
  add(3, 20);
  fill(2, 20);
  expect([memory.tenantMayHaveMore(2), memory.tenantMayHaveMore(3)]).toEqual([false, true]);
});

test('places are counted out as if each body were as large as the last one of its tenant, or as all are on average', () => {
  add(1, 700);
  add(2, 100);
  const places = memory.bytePlaces();
  const take = (num: number) => {
    const hasOne = places.has(num);
    if (hasOne) places.take(num);
    return hasOne;
  };
  // 800 are free; for tenant 3 the average of 400 is counted.
  expect([take(3), take(2), take(2), take(1)]).toEqual([true, true, true, false]);
  expect([take(4), take(5)]).toEqual([true, false]);
});

test('where no byte is free nothing is read, but while it is crowded, when no tenant has a place and whoever is due is found', () => {
  add(1, MAX_BYTES);
  expect([memory.isReadUseful, memory.hasRowsFree, memory.rowsToFetchNow, memory.rowsForHandOver]).toEqual([
    false,
    false,
    0,
    0,
  ]);
  isCrowded = true;
  expect([memory.isReadUseful, memory.hasRowsFree, memory.bytePlaces().has(2)]).toEqual([true, true, false]);
});

test('while bytes are short fetches come every ten milliseconds at the most', () => {
  add(1, 1_000);
  memory.noteFetch(now);
  expect(memory.isFetchDue).toBe(true);
  add(2, 500);
  expect(memory.isFetchDue).toBe(false);
  now += 10;
  expect(memory.isFetchDue).toBe(true);
});
