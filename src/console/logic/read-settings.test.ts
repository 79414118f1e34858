import { expect, test } from 'vitest';
import { readSettings } from './read-settings.ts';

test('settings are an object, or none at all', () => {
  expect(readSettings(' \n')).toEqual({});
  expect(readSettings('{"order": "subject"}')).toEqual({ order: 'subject' });
});

test.each(['[1]', 'null', '7', '"a"'])('%s is refused, saying what is expected', (text) => {
  expect(() => readSettings(text)).toThrow('are no object: write them as {');
});

test('a number that would come out as another one is refused, and digits in texts are none', () => {
  expect(() => readSettings('{"n": [9007199254740993]}')).toThrow(/^9007199254740993 has more digits/);
  expect(readSettings('{"n": "9007199254740993", "m": 12345.5}')).toEqual({ n: '9007199254740993', m: 12_345.5 });
});

test('what is no JSON is refused, saying where', () => {
  expect(() => readSettings('{"order": }')).toThrow(/^The other settings are no JSON: .+/);
});
