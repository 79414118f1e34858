import { expect, test } from 'vitest';
import { eventInput, idempotencyKey } from './event-input.ts';

const given = { type: 'invoice.paid', data: { total: 1 } };
const problems = (more: object) =>
  eventInput.safeParse({ ...given, ...more }).error?.issues.map((issue) => issue.path.join('.')) ?? [];

test('type and data are all that an event needs; data may be any JSON value, null included', () => {
  expect(problems({})).toEqual([]);
  for (const data of [null, 0, '', false, []]) expect(problems({ data })).toEqual([]);
  expect(problems({ data: undefined })).toEqual(['data']);
  expect(problems({ type: undefined })).toEqual(['type']);
});

test.each([
  ['id', ['a', 'evt_1', 'A-b:c~d', 'x'.repeat(256)], ['', 'a.b', 'a b', 'ä', 'x'.repeat(257), 1]],
  [
    'type',
    ['a', 'a.b-c.d_e', 'systematic.x', 'x'.repeat(128)],
    ['', '.a', 'a.', 'a..b', 'a.*', 'system', 'system.x', 'x'.repeat(129)],
  ],
  ['version', ['1.0', '10.2.3'], ['1', '1.', 'v1.0', '1.0.0.0', '']],
  ['tenant_id', ['tenant_1'], ['', 'x'.repeat(129), null]],
  ['correlation_id', ['corr 1', 'ü', 'x'.repeat(256)], ['', 'a\nb', 'a\u0000', '\u0085', '\ud800', 'x'.repeat(257)]],
  ['subject', ['order/1'], ['', '\t', 7]],
])('%s is taken or refused as the contract has it', (name, good, bad) => {
  for (const value of good) expect([value, problems({ [name]: value })]).toEqual([value, []]);
  for (const value of bad) expect([value, problems({ [name]: value })]).toEqual([value, [name]]);
});

test.each([
  '2024-03-14T10:30:00Z',
  '2024-02-29t23:59:60z',
  '2024-03-14T10:30:00.123456789+05:30',
  '2024-03-14T10:30:00-23:59',
])('%s is an RFC 3339 date-time', (timestamp) => expect(problems({ timestamp })).toEqual([]));

test.each([
  '2024-03-14',
  '2024-03-14T10:30Z',
  '2024-03-14T10:30:00',
  '2023-02-29T00:00:00Z',
  '2024-13-01T00:00:00Z',
  '2024-00-01T00:00:00Z',
  '2024-01-00T00:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T00:60:00Z',
  '2024-01-01T00:00:00+24:00',
  '2024-01-01T00:00:00.Z',
  '2024-01-01 00:00:00Z',
  '1710412200',
])('%s is refused as a timestamp', (timestamp) => expect(problems({ timestamp })).toEqual(['timestamp']));

test('metadata keeps fields that it does not know, and refuses a key that is not one', () => {
  expect(eventInput.parse({ ...given, metadata: { source: 's', other: 1 } }).metadata).toEqual({
    source: 's',
    other: 1,
  });
  expect(problems({ metadata: { idempotency_key: '' } })).toEqual(['metadata.idempotency_key']);
  expect(problems({ metadata: [] })).toEqual(['metadata']);
});

test('an idempotency key is 1 to 255 printable ASCII characters', () => {
  for (const key of ['a', ' ', '~'.repeat(255)]) expect(idempotencyKey.safeParse(key).success).toBe(true);
  for (const key of ['', 'é', 'a\n', '\u007f', 'x'.repeat(256)])
    expect(idempotencyKey.safeParse(key).success).toBe(false);
});
