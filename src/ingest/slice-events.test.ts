import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayElements, nestingDepth, objectMembers } from '../domain/json-slices.ts';
import { sliceEvents } from './slice-events.ts';

const MAX_DEPTH = 5;

const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('what is cut at all nests no deeper than is told, whatever the text', () => {
  const unit = fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', ' ', '\n', '1', '"a":', '{"d":', '[{', '}]');
  const property = fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
    if (sliceEvents(text, MAX_DEPTH) !== null && parses(text))
      expect(nestingDepth(text, 100)).toBeLessThanOrEqual(MAX_DEPTH);
  });
  fc.assert(property, { numRuns: 20_000 });
});

test('garbage of any size is told from events without a stack for its depth', () => {
  for (const text of ['[', '{', '{"a":', '[{"a":[', '"', '[{"a":"'].map((one) => one.repeat(500_000)))
    expect(sliceEvents(text, 100)).toBeNull();
});

test('events are cut to what their members say, white space outside strings aside', () => {
  const text = ' [ { "type" : "a" , "data" : { "x" : [ 1 , " \\" } " ] } } ,{"m":1,"data":-1.10,"data2":[]}, {} ] ';
  const { isArray, events } = sliceEvents(text, MAX_DEPTH)!;
  expect(isArray).toBe(true);
  expect(events.map((event) => event.text)).toEqual(arrayElements(text));
  expect(events.map(({ members }) => members)).toEqual(arrayElements(text).map((each) => objectMembers(each).length));
  expect(events[0]).toMatchObject({ dataText: '{"x":[1," \\" } "]}', metadataText: null });
});

test.each(['1', '"a"', '', '[1]', '[[]]', '[{},1]', '{"a":1', '{"a"}', '{} {}', '[{}]]', '{a:1}', '[{}{}]'])(
  '%s is left to others',
  (text) => expect(sliceEvents(text, MAX_DEPTH)).toBeNull(),
);

test('the deepest that may be is cut, one step deeper is not', () => {
  expect(sliceEvents('{"data":[[[[1]]]]}', MAX_DEPTH)).not.toBeNull();
  expect(sliceEvents('{"data":[[[[[1]]]]]}', MAX_DEPTH)).toBeNull();
  expect(sliceEvents('[{"data":[[[1]]]}]', MAX_DEPTH)).not.toBeNull();
  expect(sliceEvents('[{"data":[[[[1]]]]}]', MAX_DEPTH)).toBeNull();
});
