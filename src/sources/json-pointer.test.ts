import { expect, test } from 'vitest';
import { valuesIn } from './json-pointer.ts';

test('a pointer names a value as it is written, through objects and arrays; of repeated names the last', () => {
  const at = valuesIn(
    ' {"a": [ {"b/c": 1.10}, {"~": "x"} ], "a/b": 1, "n": {"": 9007199254740993}, "n2": 1, "n2": 2} ',
  );
  const found = ['/a/0/b~1c', '/a/1/~0', '/a~1b', '/n/', '/n2', '/a/0'].map(at);
  expect(found).toEqual(['1.10', '"x"', '1', '9007199254740993', '2', '{"b/c":1.10}']);
});

test('where nothing is there is nothing, whatever else was asked for', () => {
  const at = valuesIn('{"a":[1],"s":"/x","o":{"k":1}}');
  for (const pointer of [
    '/b',
    '/a/1',
    '/a/01',
    '/a/-',
    '/a/length',
    '/a/0/0',
    '/s/x',
    '/o/k/k',
    '/o/toString',
    '/b/c/d',
  ])
    expect(at(pointer)).toBeUndefined();
  expect(at('/o/k')).toBe('1');
});
