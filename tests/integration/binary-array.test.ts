import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bigints, booleans, doubles, ints, smallints, texts, uuids } from '../../src/store/binary-array.ts';

const same = <T>(value: T): T => value;
const orNull = <T>(some: fc.Arbitrary<T>) => fc.array(fc.option(some), { maxLength: 50 });

describe('arrays in binary form', () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client(inject('serverUrl'));
    await client.connect();
  });
  afterAll(() => client.end());

  const kinds = [
    ['smallint', orNull(fc.integer({ min: -32768, max: 32767 })), smallints, Number],
    ['int', orNull(fc.integer()), ints, Number],
    ['bigint', orNull(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), bigints, BigInt],
    ['float8', orNull(fc.double({ noNaN: true, noDefaultInfinity: true })), doubles, Number],
    ['boolean', orNull(fc.boolean()), booleans, (text: string) => text === 'true'],
    ['uuid', orNull(fc.uuid()), uuids, String],
    [
      'text',
      orNull(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').toWellFormed())),
      texts,
      String,
    ],
  ] as const;

  for (const [type, values, encode, decode] of kinds) {
    it(`${type}[] arrives in Postgres as it was given, nulls and all`, async () => {
      const text = `SELECT x::text FROM unnest($1::${type}[]) WITH ORDINALITY AS u(x, n) ORDER BY n`;
      await fc.assert(
        fc.asyncProperty(values as fc.Arbitrary<unknown[]>, async (given) => {
          const array = (encode as (rows: unknown[], pick: (row: unknown) => unknown) => Buffer)(given, same);
          const { rows } = await client.query<{ x: string | null }>(text, [array]);
          expect(rows.map(({ x }) => (x === null ? null : decode(x)))).toEqual(given);
        }),
      );
    });
  }
});
