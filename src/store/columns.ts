import { someOf, type Write } from './binary-array.ts';

/** A parameter of a statement that takes one value of each row. */
export type Column<T> = (rows: readonly T[]) => Buffer | string;

/**
 * A column of a statement for rows by the hundred. Make columns once, as constants of their module. V8 keeps the compiled code of a function
 * only as long as a function from that place in the code exists. If columns were made anew for each statement, mostly none would exist when
 * the whole heap is collected (once a second under load), and the code would be interpreted and compiled again.
 */
export function column<T, V>(write: Write<V>, pick: (row: T) => V | null): Column<T> {
  return (rows) => write(rows, pick);
}

/** The same, for columns in which often no row has a value: see `someOf`. */
export function sparseColumn<T, V>(write: Write<V>, pick: (row: T) => V | null): Column<T> {
  return (rows) => someOf(write, rows, pick);
}

/** The parameters of a statement: one for each column, in their order. */
export function valuesOf<T>(columns: readonly Column<T>[], rows: readonly T[]): (Buffer | string)[] {
  const values: (Buffer | string)[] = [];
  for (const each of columns) values.push(each(rows));
  return values;
}
