import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowTable, type TableRow } from './row-table.ts';

interface Row extends TableRow<Row> {
  readonly n: number;
}

const uuidOf = (n: number) => `0199f6a0-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const keyOf = ({ eventUuid, endpointNum }: Row) => `${eventUuid} ${endpointNum}`;
const isAny = () => true;

test('it finds what a Map by event and endpoint would, whatever was added and removed', () => {
  const step = fc.record({ event: fc.nat(40), endpointNum: fc.nat(3), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new RowTable<Row>();
      const model = new Map<string, Row>();
      for (const [n, { event, endpointNum, isRemoval }] of steps.entries()) {
        const row: Row = { eventUuid: uuidOf(event), endpointNum, next: null, n };
        const known = model.get(keyOf(row));
        expect(table.find(row.eventUuid, endpointNum, isAny)).toBe(known);
        if (known !== undefined && isRemoval) {
          table.remove(known);
          model.delete(keyOf(row));
        } else if (known === undefined && !isRemoval) {
          table.add(row);
          model.set(keyOf(row), row);
        }
        expect(table.size).toBe(model.size);
      }
      const all = new Set<Row>();
      table.each((row) => all.add(row));
      expect(all).toEqual(new Set(model.values()));
    }),
  );
});

test('however many rows there are, each is found, and one of another endpoint or event is not', () => {
  const table = new RowTable<Row>();
  const rows = Array.from({ length: 5_000 }, (_, n) => ({
    eventUuid: uuidOf(n % 50),
    endpointNum: Math.floor(n / 50),
    next: null,
    n,
  }));
  for (const row of rows) table.add(row);
  for (const row of rows) expect(table.find(row.eventUuid, row.endpointNum, isAny)).toBe(row);
  expect(table.find(uuidOf(50), 1, isAny)).toBeUndefined();
  expect(table.find(uuidOf(1), 100, isAny)).toBeUndefined();
  for (const row of rows) table.remove(row);
  expect(table.size).toBe(0);
  expect(rows.every(({ next }) => next === null)).toBe(true);
});

test('of two rows of one delivery the one that is picked is found', () => {
  const table = new RowTable<Row>();
  const [first, second] = [0, 1].map((n): Row => ({ eventUuid: uuidOf(7), endpointNum: 1, next: null, n }));
  table.add(first!);
  table.add(second!);
  expect(table.find(uuidOf(7), 1, isAny)).toBe(second);
  expect(table.find(uuidOf(7), 1, ({ n }) => n === 0)).toBe(first);
  table.remove(first!);
  expect(table.find(uuidOf(7), 1, ({ n }) => n === 0)).toBeUndefined();
});
