import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { readEvent } from './read-event.ts';
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
  ['too many events that are written as events are', '[{},{},{},{}]', 'json', '413 too_large'],
  ['data larger than any event', `{"data":"${'x'.repeat(1_000)}"}`, 'json', '413 too_large'],
  ['data larger than any event, for the white space in it', `{"data":[${' '.repeat(1_000)}]}`, 'json', 'taken'],
  ['an event larger than any, whatever it is', `{"\\u0064ata":"${'x'.repeat(7_000)}"}`, 'json', '413 too_large'],
  ['an event of a thousand fields', `{${fields(1_000)}}`, 'json', '422 invalid_event'],
  ['a hundred fields, which are for others to judge', `{${fields(100)}}`, 'json', 'taken'],
  ['a line of a thousand fields, which is an event that is refused', `{${fields(1_000)}}`, 'ndjson', 'taken'],
  ['JSON that nests too deep', `${'['.repeat(101)}${']'.repeat(101)}`, 'json', '422 too_deep'],
  ['garbage that nests too deep', '['.repeat(5_000_000), 'json', '422 too_deep'],
  ['the deepest that is taken', `{"a":${'['.repeat(99)}${']'.repeat(99)}}`, 'json', 'taken'],
])('%s', (_name, body, format, expected) => {
  expect(refusalOf(body, format)).toBe(expected);
});

const TOO_MANY = { path: '', message: 'expected at most 100 fields' };
const faultsOf = (body: string, format: BodyFormat = 'json') =>
  read(body, format)
    .events.map(({ value, text, rejection }) => rejection ?? readEvent(value, text))
    .map((one) => ('faults' in one ? one.faults : []));

test('what cannot be an event of a batch is refused at its place, and the others are read as ever', () => {
  const good = '{"type":"a","data":1}';
  const bad = { path: 'data', message: 'required' };
  const large = `{"type":"a","data":"${'x'.repeat(1_000)}"}`;
  for (const escaped of ['"type"', '"\\u0074ype"']) {
    const own = `{${escaped}:"a","data":1.10}`;
    const { events } = read(` [ {${fields(101)}} , ${own},${good} ] `);
    expect(events.map(({ rejection }) => rejection?.faults)).toEqual([[TOO_MANY], undefined, undefined]);
    expect(events.slice(1).map(({ text }) => text)).toEqual([own, good]);
  }
  expect(faultsOf(`[${large},{"type":"a"},{"a":[${'1,'.repeat(200)}1]}]`)).toMatchObject([
    [{ message: expect.stringContaining('1002 bytes') }],
    [bad],
    expect.arrayContaining([bad]),
  ]);
  expect(faultsOf(`${good}\n{${fields(101)}}`, 'ndjson')).toEqual([[], [TOO_MANY]]);
});

test('a line is one event: an array on it, however long, is none, and is refused alone', () => {
  const none = [{ path: '', message: 'expected an event object' }];
  expect(faultsOf('{"type":"a","data":1}\n[1,2,3,4,5]\n[{"a":1}]', 'ndjson')).toEqual([[], none, none]);
});

test.each([
  ['more events than may be', '[,,,,]'],
  ['a hundred fields and more', `{${'a,'.repeat(101)}}`],
  ['a hundred fields and more, the end missing', `{${fields(101)}`],
  ['an event too large', `[{"data":"${'x'.repeat(1_000)}"},,]`],
])('a text of %s that is no JSON is told so', (_name, body) => {
  expect(refusalOf(body)).toBe('400 invalid_json');
  expect(() => read(`{}\n${body}`, 'ndjson')).toThrow('line 2: The body is not valid JSON');
});

test('where a text breaks is told of all of it, and not where events were left out of it', () => {
  expect(() => read('[{"type":"a","data":1},\n {"type":}]')).toThrow('from line 2, column 10 on');
  const large = `{"data":"${'x'.repeat(70_000)}"}`;
  expect(() => read(`[${large},{"type":}]`)).toThrow('The body is not valid JSON.');
});

test('of a long text that cannot be events it is not found out whether it is JSON', () => {
  expect(refusalOf(`[${'1,'.repeat(50_000)}`)).toBe('413 too_large');
  expect(refusalOf(`{${fields(20_000)}`)).toBe('422 invalid_event');
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
