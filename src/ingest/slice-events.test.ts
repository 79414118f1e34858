import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayElements, nestingDepth, objectMembers } from '../domain/json-slices.ts';
import { sliceEvents } from './slice-events.ts';

const MAX_DEPTH = 5;
const ROOMY = { maxEvents: 1_000_000, maxEventBytes: 1_000_000 };

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
    if (sliceEvents(text, MAX_DEPTH, ROOMY) !== null && parses(text))
      expect(nestingDepth(text, 100)).toBeLessThanOrEqual(MAX_DEPTH);
  });
  fc.assert(property, { numRuns: 20_000 });
});

test('garbage of any size is told from events without a stack for its depth', () => {
  for (const text of ['[', '{', '{"a":', '[{"a":[', '"', '[{"a":"'].map((one) => one.repeat(500_000)))
    expect(sliceEvents(text, 100, ROOMY)).toBeNull();
});

test('events are cut to what their members say, white space outside strings aside', () => {
  const text = ' [ { "type" : "a" , "data" : { "x" : [ 1 , " \\" } " ] } } ,{"m":1,"data":-1.10,"data2":[]}, {} ] ';
  const { isArray, events } = sliceEvents(text, MAX_DEPTH, ROOMY)!;
  expect(isArray).toBe(true);
  expect(events.map((event) => event.text)).toEqual(arrayElements(text));
  expect(events.map(({ members }) => members)).toEqual(arrayElements(text).map((each) => objectMembers(each).length));
  expect(events[0]).toMatchObject({ dataText: '{"x":[1," \\" } "]}', metadataText: null });
});

test.each(['1', '"a"', '', '[1]', '[[]]', '[{},1]', '{"a":1', '{"a"}', '{} {}', '[{}]]', '{a:1}', '[{}{}]'])(
  '%s is left to others',
  (text) => expect(sliceEvents(text, MAX_DEPTH, ROOMY)).toBeNull(),
);

test('the deepest that may be is cut, one step deeper is not', () => {
  expect(sliceEvents('{"data":[[[[1]]]]}', MAX_DEPTH, ROOMY)).not.toBeNull();
  expect(sliceEvents('{"data":[[[[[1]]]]]}', MAX_DEPTH, ROOMY)).toBeNull();
  expect(sliceEvents('[{"data":[[[1]]]}]', MAX_DEPTH, ROOMY)).not.toBeNull();
  expect(sliceEvents('[{"data":[[[[1]]]]}]', MAX_DEPTH, ROOMY)).toBeNull();
});

test.each([
  ['{"data":[1,2,3,4,5,6,7,8,9]}', true],
  ['{"data":[1,2,3,4,5,6,7,8,9,0]}', false],
  ['{"data":[1, 2, 3, 4, 5, 6, 7, 8, 9]}', true],
  ['{"data":[1,2,3,4],"metadata":{"a":"1234"}}', false],
  [`{"type":"${'x'.repeat(121)}","id":"1"}`, false],
  [`{"type":"${'x'.repeat(112)}","id":"1"}`, true],
])('whether %s can be an event of 20 bytes: %s', (text, may) => {
  const limits = { maxEvents: 3, maxEventBytes: 20 };
  expect(sliceEvents(text, MAX_DEPTH, limits)!.rejected.size).toBe(may ? 0 : 1);
  expect([...sliceEvents(`[{},${text}]`, MAX_DEPTH, limits)!.rejected.keys()]).toEqual(may ? [] : [1]);
});

test('one event too many is left to others, at once', () => {
  const limits = { maxEvents: 3, maxEventBytes: 20 };
  expect(sliceEvents('[{},{},{}]', MAX_DEPTH, limits)!.events).toHaveLength(3);
  expect(sliceEvents('[{},{},{},{}]', MAX_DEPTH, limits)).toBeNull();
});
