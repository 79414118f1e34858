import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sourceInput } from '../config/source-schema.ts';
import type { IncomingMessage } from './intake.ts';
import { readMessage } from './read-message.ts';

function message(body: string | Uint8Array, more: Partial<IncomingMessage> = {}): IncomingMessage {
  return {
    position: 'orders/0/7',
    group: 'orders/0',
    attributes: new Map([['topic', 'orders']]),
    key: Buffer.from('customer-1'),
    headers: new Map([['tenant', Buffer.from('acme')]]),
    body: Buffer.from(body),
    timestampMs: Date.UTC(2024, 2, 14, 10, 30),
    ...more,
  };
}

/** As a source with this mapping reads it: by way of the schema, as everything that is configured. */
function read(mapping: object, given: IncomingMessage) {
  const source = sourceInput.parse({
    type: 'kafka',
    name: 'orders',
    connection: { brokers: ['localhost:9092'] },
    consume: { topics: ['orders'], group: 'g' },
    mapping: { format: 'mapped', ...mapping },
  });
  return readMessage(given, source.mapping, 262_144);
}

test('every field comes from where the mapping says', () => {
  const mapping = {
    tenant_id: 'header:tenant',
    type: 'attribute:topic',
    id: 'body:/order/number',
    idempotency_key: 'body:/order/lines/1/sku',
    subject: 'key',
    correlation_id: 'const:batch-7',
    timestamp: 'timestamp',
    version: 'body:/v',
    data: 'body:/order',
  };
  const body = '{"v":"2.0", "order": {"number": 42, "total": 1.10, "lines": [{}, {"sku": "a/b"}]}}';
  const result = read(mapping, message(body));
  expect(result).toMatchObject({
    ok: true,
    raw: {
      value: {
        tenant_id: 'acme',
        type: 'orders',
        id: '42',
        version: '2.0',
        timestamp: '2024-03-14T10:30:00.000Z',
        correlation_id: 'batch-7',
        subject: 'customer-1',
        data: { number: 42, total: 1.1, lines: [{}, { sku: 'a/b' }] },
        metadata: { idempotency_key: 'a/b' },
      },
    },
  });
});

test('a header of seconds since 1970, as AMQP has times, is that time as the timestamp and stays what it is elsewhere', () => {
  const readHeader = (sent: string) => {
    const from = 'header:sent';
    const mapping = { type: 'const:a', timestamp: from, id: from, idempotency_key: from, subject: from };
    const result = read(mapping, message('{}', { headers: new Map([['sent', Buffer.from(sent)]]) }));
    return result.ok ? result.raw.value : result.problem;
  };
  const elsewhere = { id: '1764153000', subject: '1764153000', metadata: { idempotency_key: '1764153000' } };
  expect(readHeader('1764153000')).toMatchObject({ timestamp: '2025-11-26T10:30:00.000Z', ...elsewhere });
  expect(readHeader('100000000')).toMatchObject({ timestamp: '1973-03-03T09:46:40.000Z' });
  // What no seconds are is left to be refused: milliseconds, days and years, what is before 1970, and parts of a second.
  for (const other of [
    ...['1764153000000', '20251126', '2025', '-1', '1764153000.5', '', '2025-11-26T10:30:00Z'],
    '2025'.padEnd(400, '0'),
  ])
    expect(readHeader(other)).toMatchObject({ timestamp: other });
});

test('numbers of the body keep the digits that they were written with', () => {
  const result = read({ type: 'const:a', data: 'body:/n' }, message('{"n": 9007199254740993.10}'));
  expect(result).toMatchObject({ ok: true, raw: { text: '{"type":"a","data":9007199254740993.10}' } });
});

test('what is not in the message is left out, but without a type or data it is no event', () => {
  const sparse = message('{"n":1}', { key: null, headers: new Map(), timestampMs: null });
  const optional = { tenant_id: 'header:tenant', subject: 'key', timestamp: 'timestamp', id: 'body:/id' };
  expect(read({ type: 'const:a', ...optional }, sparse)).toMatchObject({
    ok: true,
    raw: { value: { type: 'a', data: { n: 1 } } },
  });
  for (const mapping of [{ type: 'body:/missing' }, { type: 'const:a', data: 'body:/missing' }, { type: 'body:' }])
    expect(read(mapping, sparse)).toMatchObject({ ok: false, problem: { reason: 'unmapped' } });
});

test('a body that is not JSON can be data as text or bytes, and is a problem where the mapping looks into it', () => {
  const bytes = message(new Uint8Array([0xff, 0x00]));
  expect(read({ type: 'const:a', data: 'base64' }, bytes)).toMatchObject({
    ok: true,
    raw: { value: { data: '/wA=' } },
  });
  expect(read({ type: 'const:a', data: 'text' }, bytes)).toMatchObject({ ok: false, problem: { reason: 'unmapped' } });
  expect(read({ type: 'const:a' }, bytes)).toMatchObject({ ok: false, problem: { reason: 'invalid_json' } });
});

test('no bytes make the mapping throw: whatever comes is an event or a problem', () => {
  const mappings = [
    { type: 'body:/a/0', data: 'body:/a' },
    { type: 'key', subject: 'header:h', data: 'text' },
  ];
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(any, fc.uint8Array({ maxLength: 8 }), fc.constantFrom(...mappings), (body, bytes, mapping) => {
      const given = message(body, { key: bytes, headers: new Map([['h', bytes]]) });
      const result = read(mapping, given);
      if (result.ok) expect(JSON.parse(result.raw.text)).toEqual(result.raw.value);
    }),
  );
});
