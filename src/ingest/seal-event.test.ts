import { expect, test } from 'vitest';
import { newUuid } from '../domain/ids.ts';
import { dedupKey } from './dedup-key.ts';
import { readEvent } from './read-event.ts';
import { sealEvent } from './seal-event.ts';

const tenant = { num: 7, id: 'tenant_123' };
const NOW = Date.UTC(2024, 2, 14, 10, 30);

function sealed(text: string, headerKey?: string) {
  const result = readEvent(JSON.parse(text), text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return sealEvent(result.event, tenant, newUuid(NOW), NOW, headerKey);
}

test('the event of the contract is stored with its keys in order, minified, values as they were written', () => {
  const text = `{"metadata": {"source": "subscription-service", "idempotency_key": "idem_xyz789"}, "data": {"n": 1.10},
    "correlation_id": "corr_abc123", "timestamp": "2024-03-14T10:30:00Z", "version": "1.0", "type": "subscription.created", "id": "evt_1234567890"}`;
  expect(sealed(text).body.toString()).toBe(
    '{"id":"evt_1234567890","type":"subscription.created","version":"1.0","timestamp":"2024-03-14T10:30:00Z",' +
      '"tenant_id":"tenant_123","correlation_id":"corr_abc123","data":{"n":1.10},' +
      '"metadata":{"source":"subscription-service","idempotency_key":"idem_xyz789"}}',
  );
});

test('what the producer leaves out is filled in', () => {
  const event = sealed('{"type":"a","data":null}');
  expect(JSON.parse(event.body.toString())).toEqual({
    id: event.publicId,
    type: 'a',
    version: '1.0',
    timestamp: '2024-03-14T10:30:00.000Z',
    tenant_id: 'tenant_123',
    data: null,
  });
  expect(event).toMatchObject({ externalId: null, keys: [], bodyHash: '', subject: null });
});

test('text with quotes, backslashes and line separators stays JSON', () => {
  const event = sealed(JSON.stringify({ type: 'a', data: 1, subject: '"\\\u2028', correlation_id: '</script>' }));
  expect(JSON.parse(event.body.toString())).toMatchObject({ subject: '"\\\u2028', correlation_id: '</script>' });
});

test('the key in the event goes before the header, and an id is claimed besides', () => {
  const text = '{"type":"a","data":1,"id":"mine","metadata":{"idempotency_key":"k"}}';
  expect(sealed(text, 'header').keys).toEqual([dedupKey(7, 'k', 'k'), dedupKey(7, 'i', 'mine')]);
  expect(sealed('{"type":"a","data":1}', 'header').keys).toEqual([dedupKey(7, 'k', 'header')]);
});

test('two posts that differ only in white space or in the order of fields have the same hash', () => {
  const hashes = [
    sealed('{"type":"a","data":{"x":1}}', 'k'),
    sealed('{ "data" : { "x" : 1 }, "type" : "a" }', 'k'),
  ].map(({ bodyHash }) => bodyHash);
  expect(new Set(hashes).size).toBe(1);
});

test('every field that a producer may set tells two bodies apart', () => {
  const base = { type: 'a', data: { x: 1 } };
  const others = [
    { type: 'b' },
    { data: { x: 2 } },
    { id: 'i' },
    { version: '2.0' },
    { timestamp: '2024-03-14T10:30:00Z' },
    { correlation_id: 'c' },
    { subject: 'c' },
    { metadata: {} },
    { metadata: { source: 's' } },
  ].map((more) => sealed(JSON.stringify({ ...base, ...more }), 'k').bodyHash);
  expect(new Set([sealed(JSON.stringify(base), 'k').bodyHash, ...others]).size).toBe(others.length + 1);
});

test('a default that is spelled out is the same body, as what is stored is the same', () => {
  const hashes = ['', ',"version":"1.0"', ',"tenant_id":"tenant_123"', ',"version":"1.0","tenant_id":"tenant_123"'].map(
    (more) => sealed(`{"type":"a","data":1${more}}`, 'k').bodyHash,
  );
  expect(new Set(hashes).size).toBe(1);
  expect(sealed('{"type":"a","data":1,"version":"1.0.0"}', 'k').bodyHash).not.toBe(hashes[0]);
});

test('the hash of a body without a version is what it has been', () => {
  const { bodyHash } = sealed('{"type":"a","data":{"x":1},"id":"i","subject":"s","metadata":{"source":"m"}}');
  expect(bodyHash).toBe('251f9f27-e09a-b2d5-eeb1-da04f3cd2409');
});

test('a body that was hashed in another way has that hash, too', () => {
  const text = '{"type":"a","data":{"x":1},"id":"i","version":"1.0","subject":"s","metadata":{"source":"m"}}';
  expect(sealed(text).formerHash?.()).toBe('32bc25ea-cdff-b80b-1bce-8f94284b871b');
  const spaced = text.replaceAll(',', ' ,\n ').replaceAll(':', ' : ');
  expect(sealed(spaced).formerHash?.()).toBe('32bc25ea-cdff-b80b-1bce-8f94284b871b');
  for (const other of ['{"type":"a","data":1}', '{"type":"a","data":1,"version":"1.1"}'])
    expect(sealed(other, 'k').formerHash).toBeUndefined();
  expect(sealed('{"type":"a","data":1,"version":"1.0"}').formerHash).toBeUndefined();
});
