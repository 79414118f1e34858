import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonFault, whereJsonBreaks } from './json-fault.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test.each([
  ['{"a": x}', ', from column 7 on'],
  ['{"a": 1,}', ', from column 9 on'],
  ['[1, 2,, 3]', ', from column 7 on'],
  ['{\n  "a": 1\n  "b": 2\n}', ', from line 3, column 3 on'],
  ["{'a': 1}", ', from column 2 on'],
  ['{"a": 01}', ', from column 8 on'],
  ['{"a": "tab\there"}', ', from column 7 on'],
  ['{"a": "\\x"}', ', from column 7 on'],
  ['{} {}', ', from column 4 on'],
  ['[}', ', from column 2 on'],
  ['{"a": [1, 2}', ', from column 12 on'],
  ['NaN', ', from column 1 on'],
  ['{"a": 1', ': it ends too early'],
  ['{"a": "abc', ': it ends too early'],
  ['{"a": "abc\\', ': it ends too early'],
  ['{"a": "abc\\u00e', ': it ends too early'],
  ['{"a": "abc\\\\', ': it ends too early'],
  ['{"a": "a\\xb', ', from column 7 on'],
  ['{"a": "a\nb', ', from column 7 on'],
  ['{"a": tru', ': it ends too early'],
  ['{"a": -', ': it ends too early'],
  ['{"a": 1.', ': it ends too early'],
  ['{"a": 1.5e', ': it ends too early'],
  ['{"a": trx', ', from column 7 on'],
  ['', ': it ends too early'],
  ['{"a":', ': it ends too early'],
])('%j breaks%s', (text, where) => {
  expect(isJson(text)).toBe(false);
  expect(whereJsonBreaks(text)).toBe(where);
});

test('a text breaks somewhere exactly if JSON.parse refuses it', () => {
  const pieces = fc.constantFrom(...'{}[],:"\\ \n\t01-.eE+', 'true', 'null', '"a"', '"\\u00e9"', '1.5e3', 'tru');
  const texts = fc.oneof(
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
    fc
      .tuple(fc.json(), fc.nat(), fc.nat({ max: 2 }), pieces)
      .map(
        ([text, at, cut, put]) =>
          `${text.slice(0, at % (text.length + 1))}${put}${text.slice((at % (text.length + 1)) + cut)}`,
      ),
    fc.json(),
    fc.string(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(jsonFault(text) === null).toBe(isJson(text));
    }),
    { numRuns: 5_000 },
  );
});

test('JSON that is cut off ends too early, wherever it was cut', () => {
  const cut = fc.tuple(
    fc.oneof(
      fc.json(),
      fc.json().map((text) => JSON.stringify({ text }, null, 2)),
    ),
    fc.nat(),
  );
  fc.assert(
    fc.property(cut, ([text, at]) => {
      const start = text.slice(0, at % text.length);
      if (!isJson(start)) expect(jsonFault(start)).toBe(start.length);
    }),
    { numRuns: 5_000 },
  );
});

test('what stands before the place may be the beginning of JSON', () => {
  const broken = fc.tuple(fc.json(), fc.nat()).map(([text, at]) => {
    const place = at % (text.length + 1);
    return `${text.slice(0, place)}?${text.slice(place)}`;
  });
  fc.assert(
    fc.property(broken, (text) => {
      const at = jsonFault(text);
      if (at === null) return;
      expect([null, at]).toContain(jsonFault(text.slice(0, at)));
    }),
    { numRuns: 2_000 },
  );
});

test('a long text is not searched', () => {
  expect(whereJsonBreaks(`[${'1,'.repeat(40_000)}]`)).toBe('');
});
