import { expect, test } from 'vitest';
import type { DueDelivery } from '../store/mailbox.ts';
import { Desk } from './desk.ts';
import type { Lane } from './lane.ts';
import { PART, PendingTableWrites } from './pending-table-writes.ts';
import { TableWriter, type TableWriterOptions } from './table-writer.ts';

const row = (lane: number, event = `e${lane}`) =>
  ({
    eventUuid: event,
    endpointNum: lane,
    lane,
    step: 0,
    isParked: false,
    order: { key: 1 },
  }) as unknown as DueDelivery;

interface Stage {
  readonly tableWrites: PendingTableWrites;
  readonly lanes: Map<number, Lane>;
  readonly store: Partial<TableWriterOptions['store']>;
  readonly list?: ReadonlyMap<number, Desk>;
}

function createWriter({ tableWrites, lanes, store, list = new Map() }: Stage): TableWriter {
  const nothing = { park: async () => [], setBehind: async () => {}, promote: async () => 0 };
  return new TableWriter({
    store: { ...nothing, ...store },
    desks: { tableWrites, isInMemory: () => false, list: list as never },
    lanes,
    floods: { note: () => {} },
    onProgress: () => {},
  });
}

const held = (...numbers: number[]) =>
  new Map(numbers.map((lane) => [lane, { lease: { lane, epoch: 1 } } as unknown as Lane]));

test('rows of a lane that is lost while others are being parked are not set behind: their owner would not know', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.park([row(1)]);
  tableWrites.setBehind([row(1), row(2)]);
  const lanes = held(1, 2);
  const behind: unknown[] = [];
  const writer = createWriter({
    tableWrites,
    lanes,
    store: {
      park: async () => {
        lanes.delete(2);
        return [];
      },
      setBehind: async (leases, rows) =>
        void behind.push([leases.map(({ lane }) => lane), rows.map(({ lane }) => lane)]),
    },
  });
  await writer.write();
  expect(behind).toEqual([[[1], [1]]]);
});

test('rows of a lane that is lost before they are parked are left as they are, and hold up no others', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.park([row(1), row(2)]);
  const parked: unknown[] = [];
  const park: TableWriterOptions['store']['park'] = async (leases, rows) => {
    parked.push([leases.map(({ lane }) => lane), rows.map(({ lane }) => lane)]);
    return [];
  };
  await createWriter({ tableWrites, lanes: held(1), store: { park } }).write();
  expect(parked).toEqual([[[1], [1]]]);
  expect(tableWrites.isEmpty).toBe(true);
});

test('once rows are set behind others the table is asked who is next: those may have gone meanwhile', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.setBehind([row(1)]);
  const said: unknown[] = [];
  const store: Stage['store'] = {
    setBehind: async () => void said.push('set behind'),
    promote: async (keys) => said.push(...keys),
  };
  await createWriter({ tableWrites, lanes: held(1), store }).write();
  expect(said).toEqual(['set behind', { endpointNum: 1, key: 1 }]);
});

test('keys of which the table could not be asked are asked about again, and those that came meanwhile once more', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.ask(1, 1);
  tableWrites.ask(2, 5);
  const asked: unknown[] = [];
  let isAway = true;
  const promote: TableWriterOptions['store']['promote'] = async (keys) => {
    asked.push(keys);
    if (!isAway) return 0;
    tableWrites.ask(3, 7);
    throw new Error('Postgres is away');
  };
  const writer = createWriter({ tableWrites, lanes: held(1, 2, 3), store: { promote } });
  await expect(writer.promote()).rejects.toThrow('Postgres is away');
  expect(tableWrites.isEmpty).toBe(false);
  isAway = false;
  await writer.promote();
  const [first, second] = [
    { endpointNum: 1, key: 1 },
    { endpointNum: 2, key: 5 },
  ];
  expect(asked).toEqual([
    [first, second],
    [{ endpointNum: 3, key: 7 }, first, second],
  ]);
  expect(tableWrites.isEmpty).toBe(true);
});

test('what is parked is looked for among its class as it is now, and where nothing is said of it among that which it was read as', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.park([row(1), row(2)]);
  const list = new Map([1, 2].map((num) => [num, new Desk(num, num)]));
  const store: Stage['store'] = { park: async () => [{ endpointNum: 2, kind: 'retry', rows: 1 }] };
  await createWriter({ tableWrites, lanes: held(1, 2), store, list }).write();
  expect([...list.values()].map(({ parked }) => [parked.first.hasRows, parked.retry.hasRows])).toEqual([
    [true, false],
    [true, true],
  ]);
});

test('where many rows wait, each part of them that is written stays so, whatever becomes of the next', async () => {
  const tableWrites = new PendingTableWrites();
  const rows = Array.from({ length: 2 * PART + 1 }, (_, i) => row(1, `e${i}`));
  tableWrites.setBehind(rows);
  const said: unknown[] = [];
  let failing = 1;
  const store: Stage['store'] = {
    setBehind: async (_leases, part) => {
      said.push(part.length);
      if (said.length > 1 && failing-- > 0) throw new Error('connection lost');
    },
    promote: async () => 0,
  };
  const writer = createWriter({ tableWrites, lanes: held(1), store });
  await expect(writer.write()).rejects.toThrow('connection lost');
  expect(tableWrites.takeAsked()).toEqual([{ endpointNum: 1, key: 1 }]);
  await writer.write();
  expect([said, tableWrites.isEmpty]).toEqual([[PART, PART, PART, 1], true]);
});

test('what is parked again before it is written is written once, as it was read last', async () => {
  const tableWrites = new PendingTableWrites();
  tableWrites.park([row(1)]);
  tableWrites.park([{ ...row(1), attempt: 1 }]);
  const parked: unknown[] = [];
  const park: TableWriterOptions['store']['park'] = async (_leases, rows) => {
    parked.push(...rows);
    return [];
  };
  await createWriter({ tableWrites, lanes: held(1), store: { park } }).write();
  expect(parked).toMatchObject([{ eventUuid: 'e1', attempt: 1 }]);
});
