import { expect, test } from 'vitest';
import { checkCustomHeaders } from './custom-headers.ts';

test('ordinary headers have no fault', () => {
  expect(checkCustomHeaders({ Authorization: 'Bearer abc', 'X-Tenant': 'café', 'x-empty': '', Accept: '*/*' })).toEqual(
    [],
  );
  expect(checkCustomHeaders({})).toEqual([]);
});

test.each([
  'Host',
  'Content-Length',
  'transfer-encoding',
  'Connection',
  'Keep-Alive',
  'Upgrade',
  'TE',
  'Trailer',
  'Expect',
  'HTTP2-Settings',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'Proxy-Connection',
  'Content-Type',
  'Content-Encoding',
  'User-Agent',
  'webhook-id',
  'webhook-timestamp',
  'Webhook-Signature',
  'posthorn-attempt',
  'constructor',
  'bad name',
  'bad:name',
  'bad\r\nname',
  'näme',
  '(x)',
  '',
])('the name %j is refused with its path', (name) => {
  expect(checkCustomHeaders({ [name]: 'v' })).toEqual([{ path: name, message: expect.any(String) }]);
});

test('__proto__ as a name is refused', () => {
  const faults = checkCustomHeaders(JSON.parse('{"__proto__": "v"}') as Record<string, string>);
  expect(faults).toEqual([{ path: '__proto__', message: expect.any(String) }]);
});

test.each(['a\r\nX-Injected: 1', 'a\nb', 'a\u0000b', 'a\u007f', '€', '😀', 'a'.repeat(4097)])(
  'the value %j is refused',
  (value) => {
    expect(checkCustomHeaders({ 'x-a': value })).toHaveLength(1);
  },
);

test('a fault does not repeat the value, which may be a credential', () => {
  expect(JSON.stringify(checkCustomHeaders({ 'x-a': 'secret€' }))).not.toContain('secret');
});

test('the same name in two spellings is refused', () => {
  expect(checkCustomHeaders({ 'X-A': '1', 'x-a': '2' })).toEqual([{ path: 'x-a', message: 'is given twice' }]);
});

test('101 headers, or more than 16 KiB of them, are refused', () => {
  const many = (count: number, length: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'v'.repeat(length)]));
  expect(checkCustomHeaders(many(100, 1))).toEqual([]);
  expect(checkCustomHeaders(many(101, 1))).toHaveLength(1);
  expect(checkCustomHeaders(many(5, 4000))).toHaveLength(1);
});
