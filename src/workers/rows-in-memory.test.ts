import { expect, test } from 'vitest';
import { type DueDelivery, START } from '../store/mailbox.ts';
import { Lane } from './lane.ts';
import { RowsInMemory } from './rows-in-memory.ts';

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
  const inMemory = new RowsInMemory();
  const [settled, other] = [rowOf(1), rowOf(2)];
  inMemory.add(settled, lane(), 10);
  const { rows, fresh } = await inMemory.read(async () => {
    inMemory.letGo(settled);
    return { rows: [settled, other] };
  });
  expect([rows, fresh]).toEqual([[settled, other], [other]]);
  expect((await inMemory.read(async () => ({ rows: [settled] }))).fresh).toEqual([settled]);
});

test('a row that was let go and came back while a read was under way is in memory until it is let go again', async () => {
  const inMemory = new RowsInMemory();
  const ours = lane();
  const row = rowOf(1);
  inMemory.add(row, ours, 10);
  await inMemory.read(async () => {
    inMemory.letGo(row);
    expect(inMemory.has(row)).toBe(false);
    inMemory.add(row, ours, 10);
    return { rows: [] };
  });
  expect([inMemory.has(row), inMemory.size, ours.rowsInMemory]).toEqual([true, 1, 1]);
  inMemory.letGo(row);
  expect([inMemory.has(row), inMemory.size, ours.rowsInMemory, inMemory.letGo(row)]).toEqual([false, 0, 0, undefined]);
});

test('a read that fails forgets what was let go meanwhile', async () => {
  const inMemory = new RowsInMemory();
  const row = rowOf(1);
  inMemory.add(row, lane(), 10);
  const failed = inMemory.read(async () => {
    inMemory.letGo(row);
    throw new Error('away');
  });
  await expect(failed).rejects.toThrow('away');
  expect((await inMemory.read(async () => ({ rows: [row] }))).fresh).toEqual([row]);
});

test('rows, bytes, tenants and endpoints are counted as they come and go', () => {
  const inMemory = new RowsInMemory();
  const [a, b] = [rowOf(1, 1), rowOf(1, 2)];
  inMemory.add(a, lane(), 10);
  inMemory.add(b, lane(), 20);
  expect([inMemory.size, inMemory.bytes, inMemory.endpoints, inMemory.loadOf(1).rows, [...inMemory.tenants]]).toEqual([
    2,
    30,
    2,
    2,
    [1],
  ]);
  inMemory.letGo(a);
  expect([inMemory.size, inMemory.bytes, inMemory.endpoints, inMemory.loadOf(1).bytes]).toEqual([1, 20, 1, 20]);
  inMemory.letGo(b);
  expect([inMemory.size, inMemory.bytes, inMemory.endpoints, inMemory.loadOf(1).rows, [...inMemory.tenants]]).toEqual([
    0,
    0,
    0,
    0,
    [],
  ]);
});

test('the rows that fetches come upon are told: of their lanes, from their cursor on, and not let go', () => {
  const inMemory = new RowsInMemory();
  const other = new Lane({ lane: 2, epoch: 1 }, 0);
  const due = (n: number, dueAtMs: number, endpointNum = 1) => ({ ...rowOf(n, endpointNum), dueAtMs });
  inMemory.add(due(1, 99), lane(), 10);
  inMemory.add(due(2, 100), lane(), 10);
  inMemory.add(due(2, 100, 2), lane(), 10);
  inMemory.add(due(3, 101), lane(), 10);
  inMemory.add(due(4, 101), other, 10);
  inMemory.letGo(rowOf(3));
  const fetch = { lane: 1, after: { ...START, dueAtMs: 100 }, limit: 9 };
  const told = inMemory.metBy([fetch]).map(({ eventUuid, endpointNum }) => `${eventUuid} ${endpointNum}`);
  expect(told.sort()).toEqual([`${rowOf(2).eventUuid} 1`, `${rowOf(2).eventUuid} 2`]);
  expect(inMemory.metBy([fetch, { ...fetch, lane: 2 }])).toHaveLength(3);
});

test('a row that a commit under way brings is not new to any read, counts for nothing, and is new again when it is not handed over', async () => {
  const inMemory = new RowsInMemory();
  const ours = lane();
  const row = rowOf(1);
  const expected = inMemory.expect(row, ours);
  expect((await inMemory.read(async () => ({ rows: [row] }))).fresh).toEqual([]);
  expect([inMemory.has(row), inMemory.size, inMemory.expected, ours.rowsInMemory, inMemory.letGo(row)]).toEqual([
    false,
    0,
    1,
    0,
    undefined,
  ]);
  expect(inMemory.metBy([{ lane: 1, after: START, limit: 9 }])).toHaveLength(1);
  inMemory.expectNoMore(expected);
  expect(inMemory.expected).toBe(0);
  expect((await inMemory.read(async () => ({ rows: [row] }))).fresh).toEqual([row]);
});

test('a row that was handed over, delivered and let go while a read was under way is not new to it', async () => {
  const inMemory = new RowsInMemory();
  const row = rowOf(1);
  const expected = inMemory.expect(row, lane());
  const { fresh } = await inMemory.read(async () => {
    inMemory.expectNoMore(expected);
    inMemory.add(row, lane(), 10);
    inMemory.letGo(row);
    return { rows: [row] };
  });
  expect(fresh).toEqual([]);
});
