import fc from 'fast-check';
import { expect, test } from 'vitest';
import { repeatedNames } from './repeated-names.ts';

test.each([
  ['{"a":1,"b":2}', []],
  ['{"a":1,"a":2}', ['a']],
  ['{"a":1,"\\u0061":2,"a":3}', ['a']],
  ['{"a":{"b":1,"c":[1,{"d":1, "d" : 2}]},"e":1}', ['a.c.1.d']],
  ['[{"a":1},{"a":1},{"a":"a","a":"a"}]', ['2.a']],
  ['{"a":["a","a",{"a":"a"}],"b":{"a":1}}', []],
  ['{"a":"\\",\\"a\\":{","b":"}]"}', []],
  ['{"__proto__":1,"__proto__":2}', ['__proto__']],
  ['{"":1,"":2}', ['']],
  ['{"a":{},"b":[],"a":{}}', ['a']],
  ['"a"', []],
])('%s has %j more than once', (text, paths) => expect(repeatedNames(text, 10)).toEqual(paths));

test('what is apart is passed over, but not that it is there twice', () => {
  expect(repeatedNames('{"data":{"a":1,"a":2},"x":{"data":{"a":1,"a":2}}}', 10, ['data'])).toEqual(['x.data.a']);
  expect(repeatedNames('{"data":1,"data":2}', 10, ['data'])).toEqual(['data']);
});

test('of long names the beginning is told', () => {
  expect(repeatedNames(`{"${'a'.repeat(1_000)}":{"b":1,"b":2}}`, 10)).toEqual([`${'a'.repeat(100)}.b`]);
});

test('no more are looked for than are wanted', () => {
  expect(repeatedNames('{"a":1,"a":2,"b":1,"b":2}', 1)).toEqual(['a']);
});

test('what JSON.stringify writes has none, and one is found wherever it is put in', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (value, name) => {
      const text = JSON.stringify(value);
      const twice = `${JSON.stringify(name)}:1,${JSON.stringify(name)}:2`;
      expect(repeatedNames(text, 10)).toEqual([]);
      expect(repeatedNames(`{"x":[${text},{${twice}}],"y":${text}}`, 10)).toEqual([`x.1.${name}`]);
    }),
  );
});
