import fc from 'fast-check';
import { type Cursor, START } from '../../src/store/mailbox.ts';
import { keyOf, type ModelRow } from '../../src/workers/fixtures/mailbox-model.ts';
import { type Lease, type TableTwins, WORKERS } from './table-twins.ts';

/** Lanes of a statement: for each whether it is among them, and whether by the lease that was given last or the one before. */
export const someLanes = fc.tuple(...Array.from({ length: 3 }, () => fc.nat(5)));
/** Rows of a statement, most of them in the mailbox. */
export const someRows = fc.array(fc.nat(9_999), { maxLength: 5 });
export const aRow = fc.nat(9_999);
/** Who makes a statement: any worker, mostly the one that holds the lanes. */
export const aWorker = fc.nat(8);
/** Where a fetch goes on: at the start as often as at a row. */
export const aCursor = fc.option(fc.nat(9_999));

export function rowOf({ model, made }: TableTwins, pick: number): ModelRow | undefined {
  const isThere = (row: ModelRow) => model.rows.has(keyOf(row));
  const among = made.filter((row) => isThere(row) === pick % 4 > 0);
  return among[Math.floor(pick / 4) % Math.max(1, among.length)];
}

export function rowsOf(twins: TableTwins, picks: readonly number[]): ModelRow[] {
  return [...new Set(picks.flatMap((pick) => rowOf(twins, pick) ?? []))];
}

export function leasesOf({ given }: TableTwins, picks: readonly number[]): Lease[] {
  return picks.flatMap((pick, lane) => {
    const ofLane = given.get(lane) ?? [];
    return (pick === 0 ? undefined : ofLane.at(pick < 5 ? -1 : -2)) ?? [];
  });
}

export function workerOf(pick: number, leases: readonly { readonly owner: string }[] = []): string {
  return WORKERS[pick] ?? leases[0]?.owner ?? WORKERS[0];
}

export function cursorOf(twins: TableTwins, pick: number | null, isMeant: (row: ModelRow) => boolean): Cursor {
  const rows = [...twins.model.rows.values()].filter((row) => Number.isFinite(row.dueAtMs) && isMeant(row));
  return (pick === null ? undefined : rows[pick % Math.max(1, rows.length)]) ?? START;
}
