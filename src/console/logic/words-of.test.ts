import { expect, test } from 'vitest';
import { wordsOf } from './words-of.ts';

test.each([
  ['', []],
  [' , ', []],
  ['a.b', ['a.b']],
  ['a.b, c.*  d.**,e', ['a.b', 'c.*', 'd.**', 'e']],
])('%j is the words %j', (line, words) => {
  expect(wordsOf(line)).toEqual(words);
});
