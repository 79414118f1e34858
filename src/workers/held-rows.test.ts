import { expect, test } from 'vitest';
import { type DueDelivery, START } from '../store/mailbox.ts';
import { HeldRows } from './held-rows.ts';
import { Lane } from './lane.ts';

const lane = () => new Lane({ lane: 1, epoch: 1 }, 0);

const rowOf = (n: number, endpointNum = 1): DueDelivery => ({
  eventUuid: `0199f6a0-0000-7000-8000-${n.toString(16).padStart(12, '0')}`,
  endpointNum,
  tenantNum: 1,
  lane: 1,
  attempt: 0,
  step: 0,
  dueAtMs: 0,
  isReplay: false,
  endpointVersion: 1,
  isParked: false,
  order: null,
});

test('a row that was let go while a read was under way is not new, though the read brought it', async () => {
  const held = new HeldRows();
  const [settled, other] = [rowOf(1), rowOf(2)];
  held.add(settled, lane(), 10);
  const { rows, fresh } = await held.read(async () => {
    held.letGo(settled);
    return { rows: [settled, other] };
  });
  expect([rows, fresh]).toEqual([[settled, other], [other]]);
  expect((await held.read(async () => ({ rows: [settled] }))).fresh).toEqual([settled]);
});

test('a row that was let go and came back while a read was under way is held until it is let go again', async () => {
  const held = new HeldRows();
  const ours = lane();
  const row = rowOf(1);
  held.add(row, ours, 10);
  await held.read(async () => {
    held.letGo(row);
    expect(held.has(row)).toBe(false);
    held.add(row, ours, 10);
    return { rows: [] };
  });
  expect([held.has(row), held.size, ours.held]).toEqual([true, 1, 1]);
  held.letGo(row);
  expect([held.has(row), held.size, ours.held, held.letGo(row)]).toEqual([false, 0, 0, undefined]);
});

test('a read that fails forgets what was let go meanwhile', async () => {
  const held = new HeldRows();
  const row = rowOf(1);
  held.add(row, lane(), 10);
  const failed = held.read(async () => {
    held.letGo(row);
    throw new Error('away');
  });
  await expect(failed).rejects.toThrow('away');
  expect((await held.read(async () => ({ rows: [row] }))).fresh).toEqual([row]);
});

test('rows, bytes, tenants and endpoints are counted as they come and go', () => {
  const held = new HeldRows();
  const [a, b] = [rowOf(1, 1), rowOf(1, 2)];
  held.add(a, lane(), 10);
  held.add(b, lane(), 20);
  expect([held.size, held.bytes, held.endpoints, held.loadOf(1).rows, [...held.tenants]]).toEqual([2, 30, 2, 2, [1]]);
  held.letGo(a);
  expect([held.size, held.bytes, held.endpoints, held.loadOf(1).bytes]).toEqual([1, 20, 1, 20]);
  held.letGo(b);
  expect([held.size, held.bytes, held.endpoints, held.loadOf(1).rows, [...held.tenants]]).toEqual([0, 0, 0, 0, []]);
});

test('the rows that fetches come upon are told: of their lanes, from their cursor on, and not let go', () => {
  const held = new HeldRows();
  const other = new Lane({ lane: 2, epoch: 1 }, 0);
  const due = (n: number, dueAtMs: number, endpointNum = 1) => ({ ...rowOf(n, endpointNum), dueAtMs });
  held.add(due(1, 99), lane(), 10);
  held.add(due(2, 100), lane(), 10);
  held.add(due(2, 100, 2), lane(), 10);
  held.add(due(3, 101), lane(), 10);
  held.add(due(4, 101), other, 10);
  held.letGo(rowOf(3));
  const fetch = { lane: 1, after: { ...START, dueAtMs: 100 }, limit: 9 };
  const told = held.metBy([fetch]).map(({ eventUuid, endpointNum }) => `${eventUuid} ${endpointNum}`);
  expect(told.sort()).toEqual([`${rowOf(2).eventUuid} 1`, `${rowOf(2).eventUuid} 2`]);
  expect(held.metBy([fetch, { ...fetch, lane: 2 }])).toHaveLength(3);
});

test('a row that a commit under way brings is not new to any read, counts for nothing, and is new again when it is not handed over', async () => {
  const held = new HeldRows();
  const ours = lane();
  const row = rowOf(1);
  const expected = held.expect(row, ours);
  expect((await held.read(async () => ({ rows: [row] }))).fresh).toEqual([]);
  expect([held.has(row), held.size, held.expected, ours.held, held.letGo(row)]).toEqual([false, 0, 1, 0, undefined]);
  expect(held.metBy([{ lane: 1, after: START, limit: 9 }])).toHaveLength(1);
  held.expectNoMore(expected);
  expect(held.expected).toBe(0);
  expect((await held.read(async () => ({ rows: [row] }))).fresh).toEqual([row]);
});

test('a row that was handed over, delivered and let go while a read was under way is not new to it', async () => {
  const held = new HeldRows();
  const row = rowOf(1);
  const expected = held.expect(row, lane());
  const { fresh } = await held.read(async () => {
    held.expectNoMore(expected);
    held.add(row, lane(), 10);
    held.letGo(row);
    return { rows: [row] };
  });
  expect(fresh).toEqual([]);
});
