import { expect, test } from 'vitest';
import { readEvent } from './read-event.ts';
import { sliceEvents } from './slice-events.ts';

const read = (text: string) => readEvent(JSON.parse(text), text);

function faultsIn(text: string) {
  const result = read(text);
  return result.ok ? [] : result.faults.map(({ path }) => path);
}

test('data and metadata keep the spelling that they were sent in', () => {
  const result = read(
    '{ "data": {"n": 9007199254740993, "x": 1.10}, "type": "a", "metadata": { "source": "\\u0061" } }',
  );
  expect(result).toMatchObject({
    ok: true,
    event: { dataText: '{"n":9007199254740993,"x":1.10}', metadataText: '{"source":"\\u0061"}', input: { type: 'a' } },
  });
});

test('a name spelled with escapes is the same name', () => {
  expect(read('{"ty\\u0070e":"a","d\\u0061ta":[1]}')).toMatchObject({
    ok: true,
    event: { dataText: '[1]', metadataText: null },
  });
});

test('a field given more than once is refused, however it is spelled', () => {
  expect(faultsIn('{"type":"a","data":1,"d\\u0061ta":2}')).toEqual(['data']);
  expect(faultsIn('{"type":"a","data":1,"type":"b","type":"c"}')).toEqual(['type']);
});

test.each([
  ['{"source":"a","source":"b"}', ['metadata.source']],
  ['{"source":"a","idempotency_key":"k","idempotency\\u005fkey":"l"}', ['metadata.idempotency_key']],
  ['{"more":{"x":1,"x":1},"n":1,"n":2}', ['metadata.more.x', 'metadata.n']],
])('names of metadata are given once, as whoever reads them may take either: %s', (metadata, paths) => {
  const text = `{"type":"a","data":{"x":1,"x":2},"metadata":${metadata}}`;
  expect(faultsIn(text)).toEqual(paths);
  const { events } = sliceEvents(text, 100, { maxEvents: 1, maxEventBytes: 1000 })!;
  expect(readEvent(JSON.parse(text), text, events[0])).toEqual(read(text));
});

test('each unknown field is named with its path', () => {
  expect(faultsIn('{"type":"a","data":1,"more":1,"again":2}')).toEqual(['more', 'again']);
});

test('all faults of an event are told together', () => {
  expect(faultsIn('{"type":"a b","id":"x.y","x":1}').sort()).toEqual(['data', 'id', 'type', 'x']);
});

test.each(['null', '1', '"a"', '[]', '[{}]', 'true'])('%s is not an event', (text) => {
  expect(read(text)).toEqual({ ok: false, faults: [{ path: '', message: 'expected an event object' }] });
});

test('names of the object prototype are unknown fields like any other', () => {
  expect(faultsIn('{"type":"a","data":1,"__proto__":{"type":"b"}}')).toEqual(['__proto__']);
  expect(faultsIn('{"type":"a","data":1,"constructor":1}')).toEqual(['constructor']);
});
