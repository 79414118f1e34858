import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extensionNameProblem } from './attribute-rules.ts';
import type { CloudEvent, EventData } from './cloud-event.ts';
import { composeCloudEvent } from './compose-cloud-event.ts';
import { specBatch, specExamples } from './fixtures/spec-examples.ts';
import { fromNative } from './from-native.ts';
import { attributesOfHeaders } from './http-headers.ts';
import { readBinary } from './read-binary.ts';
import { readStructured } from './read-structured.ts';
import { toNative } from './to-native.ts';
import { type HttpMessage, writeBinary, writeStructured } from './write-cloud-event.ts';

/** The event as it would be stored: see `sealEvent`. */
function stored(event: CloudEvent): Buffer {
  const { head, dataText, metadataText } = toNative(event);
  const { type, version = '1.0', timestamp = '2026-01-01T00:00:00Z', correlation_id, subject } = head;
  const fields = { id: 'evt_1', type, version, timestamp, tenant_id: 'acme', correlation_id, subject };
  return Buffer.from(`${JSON.stringify(fields).slice(0, -1)},"data":${dataText},"metadata":${metadataText}}`);
}

function readMessage({ contentType, headers, body }: HttpMessage): CloudEvent {
  const { attributes } = attributesOfHeaders(headers);
  const result = readBinary({ attributes, contentType, body });
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.event;
}

function readText(text: string): CloudEvent {
  const result = readStructured(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.event;
}

const text = (maxLength: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength })
    .filter((each) => !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(each) && each.isWellFormed());

const data = fc.oneof(
  fc.json().map((json): [string | undefined, EventData] => ['application/json', { kind: 'json', text: json }]),
  fc.json().map((json): [string | undefined, EventData] => [undefined, { kind: 'json', text: json }]),
  text(50).map((each): [string | undefined, EventData] => ['application/xml', { kind: 'text', text: each }]),
  fc
    .uint8Array({ minLength: 1, maxLength: 50 })
    .map((bytes): [string | undefined, EventData] => [
      'application/octet-stream',
      { kind: 'binary', base64: Buffer.from(bytes).toString('base64') },
    ]),
  fc.constantFrom<[string | undefined, null]>([undefined, null], ['text/plain', null]),
);

const events = fc
  .record({
    id: text(30),
    source: fc.webUrl({ withFragments: true, withQueryParameters: true }),
    subject: fc.option(text(30), { nil: undefined }),
    time: fc.constantFrom(undefined, '2018-04-05T17:31:00Z', '2018-04-05T17:31:00.123456789+02:00'),
    dataschema: fc.option(fc.webUrl(), { nil: undefined }),
    extensions: fc.dictionary(
      fc.stringMatching(/^[a-z0-9]{1,20}$/).filter((name) => extensionNameProblem(name) === null),
      fc.oneof(text(30), fc.boolean(), fc.integer()),
    ),
    payload: data,
  })
  .map(({ id, source, subject, time, dataschema, extensions, payload: [datacontenttype, payload] }) => {
    const core = { specversion: '1.0', id, source, type: 'a.b', subject, time, dataschema, datacontenttype };
    const given = Object.entries({ ...core, ...extensions }).filter(([, value]) => value !== undefined);
    const result = composeCloudEvent(given, () => payload);
    if (!result.ok) throw new Error(JSON.stringify(result.faults));
    return result.event;
  });

test('a CloudEvent that is stored comes out of it as it was', () => {
  fc.assert(fc.property(events, (event) => void expect(fromNative(stored(event))).toEqual(event)));
});

test('what is written in structured mode is read as it was, in bytes that do not hang on the order that it came in', () => {
  fc.assert(
    fc.property(events, (event) => {
      const { body } = writeStructured(event);
      expect(readText(Buffer.from(body).toString())).toEqual(event);
      const reversed = Object.entries(JSON.parse(Buffer.from(body).toString())).reverse();
      if (event.data?.kind === 'json') return;
      expect(writeStructured(readText(JSON.stringify(Object.fromEntries(reversed)))).body).toEqual(body);
    }),
  );
});

test('what is written in binary mode is read as it was, but for what headers cannot tell', () => {
  fc.assert(
    fc.property(events, (event) => {
      const read = readMessage(writeBinary(event));
      expect(read).toEqual({
        ...event,
        datacontenttype: event.datacontenttype ?? 'application/json',
        extensions: event.extensions.map(({ name, value }) => ({ name, value: String(value) })),
      });
    }),
  );
});

test.each(specExamples)('the example with $title is delivered as the specification writes it', (example) => {
  const event = fromNative(stored(readText(example.structured)));
  const { contentType, headers, body } = writeBinary(event);
  const named = Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]!]] : [])));
  expect({ ...named, 'content-type': contentType }).toEqual(example.headers);
  const whole = example.headers['content-type'] === 'application/json' && typeof example.body === 'string';
  expect(Buffer.from(body)).toEqual(
    Buffer.from(whole ? JSON.stringify(JSON.parse(example.body as string)) : example.body),
  );
  const given = Object.entries(JSON.parse(example.structured)).filter(([, value]) => value !== null);
  expect(JSON.parse(Buffer.from(writeStructured(event).body).toString())).toEqual(Object.fromEntries(given));
});

test('the batch of the specification is read, event by event', () => {
  for (const item of JSON.parse(specBatch))
    expect(JSON.parse(Buffer.from(writeStructured(readText(JSON.stringify(item))).body).toString())).toEqual(item);
});

test.each([
  ['text/plain; charset=ISO-8859-1', 'ü', 'text/plain; charset=utf-8'],
  ['text/plain; charset=us-ascii', 'ü', 'text/plain; charset=utf-8'],
  ['text/plain; charset="US-ASCII"; format=flowed', 'ü', 'text/plain; charset=utf-8; format=flowed'],
  ['text/plain; charset=us-ascii', 'u', 'text/plain; charset=us-ascii'],
  ['text/plain; charset=UTF-8', 'ü', 'text/plain; charset=UTF-8'],
  ['text/plain', 'ü', 'text/plain'],
])('%s with the text %s goes out in UTF-8, as %s', (datacontenttype, data, contentType) => {
  const event = readText(
    JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', datacontenttype, data }),
  );
  expect(writeBinary(event)).toMatchObject({ contentType, body: Buffer.from(data) });
});

test('JSON that says another charset goes out in UTF-8, and says so', () => {
  const datacontenttype = 'application/json; charset=us-ascii';
  const of = (data: unknown) =>
    writeBinary(
      readText(JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', datacontenttype, data })),
    );
  expect(of({ a: 'ü' })).toMatchObject({
    contentType: 'application/json; charset=utf-8',
    body: Buffer.from('{"a":"ü"}'),
  });
  expect(of({ a: 'u' }).contentType).toBe(datacontenttype);
});

test('a correlation that is longer than ours may be stays an extension alone', () => {
  const ourOf = (correlationid: string) => {
    const native = toNative(
      readText(JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', correlationid })),
    );
    expect(JSON.parse(native.metadataText)).toMatchObject({ correlationid });
    return native.head.correlation_id;
  };
  expect(ourOf('x'.repeat(256))).toBe('x'.repeat(256));
  expect(ourOf('x'.repeat(257))).toBeUndefined();
});
