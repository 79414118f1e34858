import { expect, test } from 'vitest';
import { amqpText } from './amqp-text.ts';

test.each([
  ['ACCESS_REFUSED', 'undefined: ACCESS_REFUSED - Login was refused', 'ACCESS_REFUSED - Login was refused'],
  ['NOT_FOUND', "BasicPublish: NOT_FOUND - no exchange 'x'", "NOT_FOUND - no exchange 'x'"],
  ['NOT_ALLOWED', 'vhost x not found', 'NOT_ALLOWED: vhost x not found'],
  ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5672', 'connect ECONNREFUSED 127.0.0.1:5672'],
  ['CLOSED', '', 'CLOSED'],
  ['', 'NOTHING: known', 'NOTHING: known'],
  ['NACK', 'two\r\nlines', 'NACK: two lines'],
])('%s with “%s” is told as “%s”', (code, message, told) => {
  expect(amqpText(code, message)).toBe(told);
});

test('a text is cut to 500 characters, whatever the broker says', () => {
  expect(amqpText('NACK', 'x'.repeat(10_000))).toHaveLength(500);
});
