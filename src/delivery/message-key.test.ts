import { expect, test } from 'vitest';
import { messageKey } from './message-key.ts';

const event = (fields: object) => Buffer.from(JSON.stringify({ id: 'evt_1', type: 'a.b', tenant_id: 't', ...fields }));

test.each([
  ['subject', { subject: 'order-7', data: {} }, 'order-7'],
  ['subject', { data: { subject: 'not this one' } }, null],
  [
    'subject',
    { subject: 'tricky ","data":{"subject":"x"} é', data: [',"data":'] },
    'tricky ","data":{"subject":"x"} é',
  ],
  ['type', { data: null }, 'a.b'],
  ['tenant', { data: null }, 'acme'],
] as const)('a key by %s of %j is %j', (source, fields, key) => {
  expect(messageKey(source, 'acme', event(fields))).toBe(key);
});
