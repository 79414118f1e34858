import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { type BodyFormat, readRequest } from './read-request.ts';

const limits = { maxEvents: 3, maxEventBytes: 1_000 };
const read = (body: string | Uint8Array, format: BodyFormat = 'json') => readRequest(Buffer.from(body), format, limits);

function refusalOf(body: string | Uint8Array, format: BodyFormat = 'json'): string {
  try {
    read(body, format);
    return 'taken';
  } catch (error) {
    return error instanceof Refusal ? `${error.status} ${error.code}` : String(error);
  }
}

function fields(count: number): string {
  return Array.from({ length: count }, (_, i) => `"x${i}":1`).join(',');
}

test('one event comes with its own text; a batch is cut into the texts of its events', () => {
  expect(read(' {"a": 1} ')).toMatchObject({ isBatch: false, events: [{ value: { a: 1 }, text: ' {"a": 1} ' }] });
  expect(read('[ {"a": 1.0} , 2 ]')).toMatchObject({
    isBatch: true,
    events: [
      { value: { a: 1 }, text: '{"a": 1.0}' },
      { value: 2, text: '2' },
    ],
  });
});

test('lines are events, blank ones and carriage returns aside', () => {
  const { isBatch, events } = read('{"a":1}\r\n\n  \n{"a":2}\n', 'ndjson');
  expect([isBatch, events.map(({ value }) => value)]).toEqual([true, [{ a: 1 }, { a: 2 }]]);
});

test('a bad line is named by its number in the text, blank ones counted', () => {
  expect(() => read('\n{}\n\n{', 'ndjson')).toThrow('line 4: ');
});

test.each<[string, string | Uint8Array, BodyFormat, string]>([
  ['an empty body', '', 'json', '400 invalid_json'],
  ['a body that is not JSON', '{"a":}', 'json', '400 invalid_json'],
  ['two values', '{} {}', 'json', '400 invalid_json'],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'json', '400 invalid_json'],
  ['an overlong encoding', Buffer.from([0x22, 0xc0, 0x80, 0x22]), 'json', '400 invalid_json'],
  ['a byte order mark', '\ufeff{}', 'json', '400 invalid_json'],
  ['an empty batch', '[]', 'json', '422 empty_batch'],
  ['lines without an event', '\n \n', 'ndjson', '422 empty_batch'],
  ['too many events', '[1,2,3,4]', 'json', '413 too_large'],
  ['too many lines', '1\n2\n3\n4', 'ndjson', '413 too_large'],
  ['a bad line', '{}\n{', 'ndjson', '400 invalid_json'],
  ['too many events, without the rest of them', '[1,2,3,4,[', 'json', '413 too_large'],
  ['too many events that are written as events are', '[{},{},{},{},', 'json', '413 too_large'],
  ['data larger than any event', `{"data":"${'x'.repeat(1_000)}"}`, 'json', '413 too_large'],
  ['data larger than any event, for the white space in it', `{"data":[${' '.repeat(1_000)}]}`, 'json', 'taken'],
  ['an event larger than any, whatever it is', `{"\\u0064ata":"${'x'.repeat(7_000)}"}`, 'json', '413 too_large'],
  ['events of which one is larger than any', `[{},{"data":"${'x'.repeat(1_000)}"}]`, 'json', '422 invalid_batch'],
  ['an event of a thousand fields', `{${fields(1_000)}}`, 'json', '422 invalid_event'],
  ['a text of a thousand fields that is no JSON', `{${fields(1_000)}`, 'json', '422 invalid_event'],
  ['a batch with an event of a thousand fields', `[{},{${fields(1_000)}}]`, 'json', '422 invalid_batch'],
  ['a hundred fields, which are for others to judge', `{${fields(100)}}`, 'json', 'taken'],
  ['a line of a thousand fields, which is an event that is refused', `{${fields(1_000)}}`, 'ndjson', 'taken'],
  ['JSON that nests too deep', `${'['.repeat(101)}${']'.repeat(101)}`, 'json', '422 too_deep'],
  ['garbage that nests too deep', '['.repeat(5_000_000), 'json', '422 too_deep'],
  ['the deepest that is taken', `{"a":${'['.repeat(99)}${']'.repeat(99)}}`, 'json', 'taken'],
])('%s', (_name, body, format, expected) => {
  expect(refusalOf(body, format)).toBe(expected);
});

test('what cannot be an event of a batch is named by its place, and the line that cannot be one is refused alone', () => {
  const body = `[{},{${fields(101)}},{"a":[${fields(200)}]}]`;
  expect(() => read(body)).toThrow(
    expect.objectContaining({ faults: [{ path: '1', message: 'expected at most 100 fields' }] }),
  );
  const { events } = read(`{"a":1}\n{${fields(101)}}`, 'ndjson');
  expect(events.map((event) => event.read)).toEqual([
    undefined,
    { ok: false, faults: [{ path: '', message: 'expected at most 100 fields' }] },
  ]);
});

test('whatever bytes come, the answer is events or a refusal', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.json().map(Buffer.from), fc.string().map(Buffer.from));
  fc.assert(
    fc.property(bytes, fc.constantFrom<BodyFormat>('json', 'ndjson'), (body, format) => {
      expect(refusalOf(body, format)).toMatch(/^(taken|4\d\d \w+)$/);
    }),
    { numRuns: 1_000 },
  );
});
