import { expect, test } from 'vitest';
import type { SourceMapping } from '../config/source-schema.ts';
import type { IncomingMessage } from './intake.ts';
import { readMessage } from './read-message.ts';

const MAX_EVENT_BYTES = 100_000;

function message(body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): IncomingMessage {
  return {
    position: 'orders/0/7',
    group: 'orders/0',
    attributes: new Map(),
    key: null,
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
    body: Buffer.from(body),
    timestampMs: null,
  };
}

const CLOUD_EVENTS: SourceMapping = { format: 'cloudevents', tenant_extension: 'tenantid' };
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
const BINARY = { ce_specversion: '1.0', ce_id: '1', ce_source: '/s', ce_type: 'order.paid' };
const MAPPED: SourceMapping = { format: 'mapped', type: 'const:a', data: 'body' };

function reasonOf(mapping: SourceMapping, given: IncomingMessage): string {
  const read = readMessage(given, mapping, MAX_EVENT_BYTES);
  if (!read.ok) return read.problem.reason;
  return read.raw.rejection?.code ?? 'event';
}

test.each<[string, SourceMapping, Readonly<Record<string, string>>]>([
  ['an event', { format: 'envelope' }, {}],
  ['a structured CloudEvent', CLOUD_EVENTS, STRUCTURED],
  ['a binary CloudEvent', CLOUD_EVENTS, BINARY],
  ['mapped', MAPPED, {}],
])('what is far larger than any event is not even decoded where it should be %s', (_, mapping, headers) => {
  // No UTF-8, which whoever looks at it finds first.
  const large = Buffer.alloc(6 * MAX_EVENT_BYTES + 1, 0xff);
  expect(reasonOf(mapping, message(large, headers))).toBe('too_large');
  expect(reasonOf(mapping, message(large.subarray(1), headers))).not.toBe('too_large');
});

test('a key or header that is far larger than any event is not decoded either', () => {
  const mapping: SourceMapping = { format: 'mapped', type: 'const:a', subject: 'key', id: 'header:h', data: 'body' };
  const large = Buffer.alloc(6 * MAX_EVENT_BYTES + 1, 0xff);
  const having = (bytes: Uint8Array): readonly IncomingMessage[] => [
    { ...message('{}'), key: bytes },
    { ...message('{}'), headers: new Map([['h', bytes]]) },
  ];
  expect(having(large).map((each) => reasonOf(mapping, each))).toEqual(['too_large', 'too_large']);
  expect(having(large.subarray(1)).map((each) => reasonOf(mapping, each))).toEqual(['unmapped', 'unmapped']);
});

test('what the mapping does not read may be as large as it likes', () => {
  const large = Buffer.alloc(6 * MAX_EVENT_BYTES + 1, 0xff);
  const having = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): IncomingMessage => {
    const given = message(body, headers);
    return { ...given, key: large, headers: new Map([...given.headers, ['trace', large]]) };
  };
  const event = '{"type":"a","data":1}';
  expect(reasonOf({ format: 'envelope' }, having(event))).toBe('event');
  expect(reasonOf(MAPPED, having(event))).toBe('event');
  expect(reasonOf({ format: 'mapped', type: 'const:a', data: 'header:h' }, having(large, { h: 'x' }))).toBe('event');
  expect(reasonOf(CLOUD_EVENTS, having('1', BINARY))).toBe('event');
  const ofAttribute = { ...message('1', BINARY), headers: new Map([...message('', BINARY).headers, ['ce_a', large]]) };
  expect(reasonOf(CLOUD_EVENTS, ofAttribute)).toBe('too_large');
  const ofType = {
    ...message('1', BINARY),
    headers: new Map([...message('', BINARY).headers, ['content-type', large]]),
  };
  expect(reasonOf(CLOUD_EVENTS, ofType)).toBe('too_large');
});

test('a body of which fields alone are read may be larger than one that is an event, as large as where events have the usual size', () => {
  const bodyOf = (bytes: number) => message(JSON.stringify({ n: 1, rest: 'x'.repeat(bytes) }));
  const picked: SourceMapping = { format: 'mapped', type: 'const:a', data: 'body:/n' };
  const kinds = (mapping: SourceMapping, bytes: number) => {
    const read = readMessage(bodyOf(bytes), mapping, 16_384);
    return read.ok ? 'event' : read.problem.reason;
  };
  expect(kinds(picked, 300_000)).toBe('event');
  expect(kinds(picked, 1_500_000)).toBe('event');
  expect(kinds(picked, 1_600_000)).toBe('too_large');
  for (const data of ['body', 'body:', 'text', 'base64'])
    expect(kinds({ format: 'mapped', type: 'const:a', data }, 300_000)).toBe('too_large');
});

test('what is kept of a rejected message is read also where events are small', () => {
  const given = message(JSON.stringify({ n: 1, rest: 'x'.repeat(250_000) }));
  expect(readMessage(given, { format: 'mapped', type: 'const:a', data: 'body:/n' }, 1_000).ok).toBe(true);
});

test('data that is too large is not parsed', () => {
  // Whoever parses it finds that it is no JSON.
  const broken = `{"type":"a","data":[${'0,'.repeat(MAX_EVENT_BYTES / 2)}x]}`;
  expect(reasonOf({ format: 'envelope' }, message(broken))).toBe('too_large');
  const good = `{"type":"a","data":[${'0,'.repeat(MAX_EVENT_BYTES / 2)}0]}`;
  expect(reasonOf({ format: 'envelope' }, message(good))).toBe('too_large');
  expect(reasonOf(MAPPED, message(good))).toBe('too_large');
  expect(reasonOf({ format: 'envelope' }, message(`{"type":"a","data":[${'0, '.repeat(MAX_EVENT_BYTES / 3)}0]}`))).toBe(
    'event',
  );
});
