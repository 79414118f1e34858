import { expect, test } from 'vitest';
import { parseQuery } from './query-parser.ts';

test('a query is read as forms write it: percent and plus, names that come again as a list, an equals sign left out', () => {
  expect({ ...parseQuery('a=1&b=x+y%20z&c=%C3%A9&d&e=1&e=2&f=100%&=g') }).toEqual({
    a: '1',
    b: 'x y z',
    c: 'é',
    d: '',
    e: ['1', '2'],
    f: '100%',
    '': 'g',
  });
  expect({ ...parseQuery('') }).toEqual({});
});

test('bytes of UTF-8 that nobody encoded, as Node hands them over, are the characters that they are', () => {
  expect(parseQuery(Buffer.from('subject=é').toString('latin1')).subject).toBe('é');
});

test('U+FFFD itself is a character like any other', () => {
  expect(parseQuery('a=%EF%BF%BD').a).toBe('\ufffd');
});

test.each([
  ['a=%ff', 'a'],
  ['ok=1&b=x%C3&c=1', 'b'],
  ['a=1&a=%E2%82', 'a'],
  [Buffer.from([0x61, 0x3d, 0xff]).toString('latin1'), 'a'],
  ['%ff=1', '\ufffd'],
])('what is no UTF-8 is refused with the name of its parameter: %j', (text, path) => {
  expect(() => parseQuery(text)).toThrow(
    expect.objectContaining({ status: 422, code: 'invalid', faults: [{ path, message: 'is not valid UTF-8' }] }),
  );
});
