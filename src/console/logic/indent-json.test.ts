import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indentJson } from './indent-json.ts';

test('it is laid out as JSON.stringify does, whatever the value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // -0 is written as 0.
      const text = JSON.stringify(value);
      expect(indentJson(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }),
  );
});

test('numbers stay as they were written', () => {
  expect(indentJson('{"a":12345678901234567890,"b":[1e400, 1.10]}')).toBe(
    '{\n  "a": 12345678901234567890,\n  "b": [\n    1e400,\n    1.10\n  ]\n}',
  );
});

test('a megabyte of brackets, quotes and backslashes is laid out in passing', () => {
  expect(indentJson(JSON.stringify('\\"{'.repeat(300_000))).length).toBeGreaterThan(1_000_000);
});
