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

test('who has many of the rows that are read past the crowd is one of it when that was so three times within two seconds', () => {
  const crowd = new Crowd();
  const few = rowsOf({ 1: 28, 2: 4 });
  for (const now of [0, 0, 0, 1_900, 3_901, 3_925]) {
    expect(crowd.tenants(now)).toEqual([]);
    crowd.noteFew(few, now);
  }
  expect(crowd.tenants(3_950)).toEqual([]);
  crowd.noteFew(few, 3_950);
  expect(crowd.tenants(3_950)).toEqual([1]);
});
