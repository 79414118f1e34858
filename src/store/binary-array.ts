import { writeUuidLetters } from '../domain/ids.ts';

// One-dimensional arrays as Postgres's `array_recv` takes them (src/backend/utils/adt/arrayfuncs.c): number of dimensions, whether there
// are nulls, the elements' type, the dimension's size and lower bound, then each element's length (-1: null) and bytes, all big-endian. The
// driver sends a Buffer as it is. Beside the text form, neither side writes or reads digits: worth it where rows come by the hundred.
// The parameter's declared type must be the very one: `$1::int[]` takes `ints` and refuses `smallints`.

const HEADER = 20;
/** A SQLSTATE (PostgreSQL, appendix A). */
const NUMERIC_VALUE_OUT_OF_RANGE = '22003';
const UUID = 2950;
const TEXT = 25;

/** A type whose values all take `size` bytes. */
interface FixedType<V> {
  readonly oid: number;
  readonly size: number;
  readonly write: (buffer: Buffer, value: V, at: number) => void;
}

const SMALLINT: FixedType<number> = { oid: 21, size: 2, write: (buffer, value, at) => buffer.writeInt16BE(value, at) };
const INT: FixedType<number> = { oid: 23, size: 4, write: (buffer, value, at) => buffer.writeInt32BE(value, at) };
const BIGINT: FixedType<bigint | number> = {
  oid: 20,
  size: 8,
  write: (buffer, value, at) => buffer.writeBigInt64BE(BigInt(value), at),
};
const DOUBLE: FixedType<number> = { oid: 701, size: 8, write: (buffer, value, at) => buffer.writeDoubleBE(value, at) };
const BOOLEAN: FixedType<boolean> = {
  oid: 16,
  size: 1,
  write: (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at),
};

export function smallints<T>(rows: readonly T[], pick: (row: T) => number | null): Buffer {
  return fixed(rows, pick, SMALLINT);
}

export function ints<T>(rows: readonly T[], pick: (row: T) => number | null): Buffer {
  return fixed(rows, pick, INT);
}

export function bigints<T>(rows: readonly T[], pick: (row: T) => bigint | number | null): Buffer {
  return fixed(rows, pick, BIGINT);
}

export function doubles<T>(rows: readonly T[], pick: (row: T) => number | null): Buffer {
  return fixed(rows, pick, DOUBLE);
}

export function booleans<T>(rows: readonly T[], pick: (row: T) => boolean | null): Buffer {
  return fixed(rows, pick, BOOLEAN);
}

/** UUIDs in text form, lower case. The caller vouches that they are. */
export function uuids<T>(rows: readonly T[], pick: (row: T) => string | null): Buffer {
  const values = rows.map(pick);
  // All at once, because reading the letters of a string one by one costs many times what it costs to read bytes.
  const letters = Buffer.from(values.join(''), 'latin1');
  const buffer = Buffer.allocUnsafe(HEADER + values.length * (4 + 16));
  let at = HEADER;
  let from = 0;
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? -1 : 16, at);
    if (value === null) continue;
    writeUuidLetters(buffer, letters, from, at);
    from += value.length;
    at += 16;
  }
  return withHeader(buffer, UUID, values.length, values.includes(null)).subarray(0, at);
}

export function texts<T>(rows: readonly T[], pick: (row: T) => string | null): Buffer {
  const values = rows.map(pick);
  let most = HEADER;
  // A UTF-16 unit takes three bytes of UTF-8 at most.
  for (const text of values) most += 4 + 3 * (text?.length ?? 0);
  const buffer = Buffer.allocUnsafe(most);
  let at = HEADER;
  let hasNull = false;
  for (const text of values) {
    const length = text === null ? -1 : buffer.write(text, at + 4);
    hasNull ||= text === null;
    at = buffer.writeInt32BE(length, at) + Math.max(0, length);
  }
  return withHeader(buffer, TEXT, values.length, hasNull).subarray(0, at);
}

export type Write<V> = <T>(rows: readonly T[], pick: (row: T) => V | null) => Buffer;

/** Empty where all are null: unnested beside others, a shorter array is filled up with nulls. Alone it would give no rows. */
export function someOf<T, V>(write: Write<V>, rows: readonly T[], pick: (row: T) => V | null): Buffer | string {
  for (const row of rows) if (pick(row) !== null) return write(rows, pick);
  return '{}';
}

function fixed<T, V>(rows: readonly T[], pick: (row: T) => V | null, { oid, size, write }: FixedType<V>): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER + rows.length * (4 + size));
  let at = HEADER;
  let hasNull = false;
  for (const row of rows) {
    const value = pick(row);
    at = buffer.writeInt32BE(value === null ? -1 : size, at);
    if (value === null) {
      hasNull = true;
    } else {
      place(buffer, value, at, write);
      at += size;
    }
  }
  return withHeader(buffer, oid, rows.length, hasNull).subarray(0, at);
}

/** Fails as Postgres does where a value is past what its type holds: whoever sent a batch knows then that one of its rows is at fault. */
function place<V>(buffer: Buffer, value: V, at: number, write: (buffer: Buffer, value: V, at: number) => void): void {
  try {
    write(buffer, value, at);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw Object.assign(error, { code: NUMERIC_VALUE_OUT_OF_RANGE });
  }
}

function withHeader(buffer: Buffer, oid: number, length: number, hasNull: boolean): Buffer {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(hasNull ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}
