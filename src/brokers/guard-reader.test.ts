import { Reader } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { guardReader } from './guard-reader.ts';

guardReader(Reader);

/** −13 as an unsigned varint of 32 bits. */
const BACK = [0xf3, 0xff, 0xff, 0xff, 0x0f];
const readerOf = (...bytes: number[]) => Reader.from(Buffer.from(bytes));

test('what is well-formed is read as before', () => {
  const reader = readerOf(2, 0x61, 0, 3, 0x62, 0x63, 1, 7, 1, 0xff);
  expect([reader.readString(), reader.readNullableString(), reader.readString()]).toEqual(['a', null, 'bc']);
  reader.readTaggedFields();
  expect(reader.remaining).toBe(0);
});

test('a reader that is given other bytes goes by those', () => {
  const reader = readerOf(2, 0x61);
  reader.reset(Buffer.from([5, 0x62, 0x63, 0x64, 0x65]));
  expect(reader.readString()).toBe('bcde');
});

test.each([
  ['a tagged field whose size leads back', (reader: Reader) => reader.readTaggedFields(), [1, 0, ...BACK]],
  ['a tagged field that goes on past the end', (reader: Reader) => reader.readTaggedFields(), [1, 0, 9, 0]],
  ['a text of negative length', (reader: Reader) => reader.readNullableString(false), [0xff, 0xf3, 0, 0]],
  ['a text longer than what came', (reader: Reader) => reader.readNullableString(), [9, 0x61]],
  ['bytes of negative length', (reader: Reader) => reader.readNullableBytes(false), [0xff, 0xff, 0xff, 0xf3, 0]],
  ['bytes of a negative varint', (reader: Reader) => reader.readVarIntBytes(), [0x19, 0, 0]],
  ['a count that is negative', (reader: Reader) => reader.readArray(() => 0), BACK],
])('lengths that cannot be are refused before anything is made of them: %s', (_, read, bytes) => {
  expect(() => read(readerOf(...bytes))).toThrow(/is it a broker\?|out of bounds/i);
});

test('an array of more elements than there are bytes ends with the bytes', () => {
  let read = 0;
  const reader = readerOf(0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0);
  expect(() =>
    reader.readArray((each) => {
      read++;
      return each.readInt8();
    }),
  ).toThrow();
  expect(read).toBeLessThan(10);
});

test('guarded twice is guarded once', () => {
  const { skip } = Reader.prototype;
  guardReader(Reader);
  expect(Reader.prototype.skip).toBe(skip);
});
