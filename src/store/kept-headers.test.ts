import { expect, test } from 'vitest';
import { keptHeaders } from './kept-headers.ts';

test('of headers that hold credentials the name is kept, and every other header as it is', () => {
  const headers = {
    server: 'nginx',
    'set-cookie': 'sid=s3cret, b=2',
    authorization: 'Bearer s3cret',
    'x-api-key': 's3cret',
  };
  const kept = { server: 'nginx', 'set-cookie': '…', authorization: '…', 'x-api-key': '…' };
  expect(keptHeaders(headers)).toEqual(kept);
  expect(Object.keys(keptHeaders(headers))).toEqual(Object.keys(headers));
  expect(headers.authorization).toBe('Bearer s3cret');
});

test('headers without any of them are kept as they are, without a copy', () => {
  const headers = {
    server: 'nginx',
    'content-type': 'text/html',
    'www-authenticate': 'Basic realm="x"',
    'retry-after': '5',
  };
  expect(keptHeaders(headers)).toBe(headers);
});

test.each([
  ['https://a.example/login', 'https://a.example/login'],
  ['https://a.example/login?token=s3cret', 'https://a.example/login?…'],
  ['/login#access_token=s3cret', '/login#…'],
  ['https://user:s3cret@a.example/x@y', 'https://…@a.example/x@y'],
  ['https://user:s3cret@a.example?s3cret#s3cret', 'https://…@a.example?…'],
])('a location says where, without what is handed on: %s', (location, kept) => {
  expect(keptHeaders({ location })).toEqual({ location: kept });
});
