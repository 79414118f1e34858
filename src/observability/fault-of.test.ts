import { expect, test } from 'vitest';
import { faultOf, redact } from './fault-of.ts';

test.each([
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Query read timeout',
])('%s: a Postgres that does not answer is told without the place in the code', (message) => {
  expect(faultOf(new Error(message))).toEqual({ error: 'Error', message });
});

test('an error of our own is told with its place in the code, one with a code without', () => {
  expect(faultOf(new TypeError('x is not a function'))).toMatchObject({
    error: 'TypeError',
    stack: expect.stringContaining('fault-of.test'),
  });
  expect(faultOf(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))).toEqual({
    error: 'Error',
    code: 'ECONNREFUSED',
    message: 'refused',
  });
});

test('of a long text the start is told, and no part of a URL that goes on behind it', () => {
  const words = 'word '.repeat(798);
  const told = redact(`${words}postgres://posthorn:hunter2@db.example/x ${words}`);
  expect(told).toBe(`${words.trimEnd()}…`);
  expect(redact('a+'.repeat(10_000))).toBe('…');
});

test('of what OpenSSL says, the reason is told', () => {
  const said = '40339CDE477F0000:error:0A00010B:SSL routines:f:bad length:../deps/openssl/openssl/ssl/a.c:78:\n';
  expect(redact(`Connection failed. ${said}`)).toBe('Connection failed. bad length');
});
