import { someOf, type Write } from './binary-array.ts';

/** A parameter of a statement that takes one value of each row. */
export type Column<T> = (rows: readonly T[]) => Buffer | string;

/**
 * A column of a statement that is made for rows by the hundred. Such columns are constants of their module, made once: V8 keeps what it compiled a function to for
 * as long as there is one that was made at that place of the code. One that is made anew for each statement is mostly not there when the whole heap is
 * collected, once a second at load, and then it is interpreted and compiled all over again.
 */
export function column<T, V>(write: Write<V>, pick: (row: T) => V | null): Column<T> {
  return (rows) => write(rows, pick);
}

/** The same, where often no row has a value: see `someOf`. */
export function sparseColumn<T, V>(write: Write<V>, pick: (row: T) => V | null): Column<T> {
  return (rows) => someOf(write, rows, pick);
}

/** The parameters that these columns make of the rows, in their order. */
export function valuesOf<T>(columns: readonly Column<T>[], rows: readonly T[]): (Buffer | string)[] {
  const values: (Buffer | string)[] = [];
  for (const each of columns) values.push(each(rows));
  return values;
}
