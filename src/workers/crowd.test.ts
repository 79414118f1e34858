import { expect, test } from 'vitest';
import { Crowd } from './crowd.ts';

const rowsOf = (counts: Readonly<Record<number, number>>) =>
  Object.entries(counts).flatMap(([tenant, count]) =>
    Array.from({ length: count }, () => ({ tenantNum: Number(tenant) })),
  );

test('a tenant is one of the crowd for as long as many of the rows that are read are its own, and a little longer', () => {
  const crowd = new Crowd();
  crowd.note(rowsOf({ 1: 896, 2: 95, 3: 5, 4: 4 }), 0);
  expect(crowd.tenants(0)).toEqual([1, 2, 3]);
  crowd.note(rowsOf({ 2: 100, 4: 4 }), 1_500);
  expect(crowd.tenants(2_000)).toEqual([1, 2, 3, 4]);
  expect(crowd.tenants(2_001)).toEqual([2, 4]);
  expect(crowd.tenants(3_501)).toEqual([]);
});

test('who has very few is none of it, however few were read', () => {
  const crowd = new Crowd();
  crowd.note(rowsOf({ 1: 3, 2: 1 }), 0);
  expect(crowd.tenants(0)).toEqual([]);
});

test('who has 500 of the rows that are read past the crowd in ten seconds is one of it, for a while', () => {
  const crowd = new Crowd();
  const past = (count: number, now: number) => {
    crowd.tenants(now);
    const isOneMore = crowd.notePast(rowsOf({ 1: count, 2: 4 }), now);
    return [isOneMore, crowd.tenants(now)];
  };
  expect([past(400, 0), past(99, 10_000), past(499, 10_001)]).toEqual(Array(3).fill([false, []]));
  expect(past(1, 20_001)).toEqual([true, [1]]);
  expect(crowd.tenants(22_002)).toEqual([]);
  expect(past(500, 30_000)).toEqual([true, [1]]);
  expect(past(499, 32_001)).toEqual([false, []]);
});
