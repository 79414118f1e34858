import { expect, test } from 'vitest';
import { compileEgressPolicy } from './egress-policy.ts';
import { checkEndpointUrl } from './endpoint-url.ts';

const strict = compileEgressPolicy({});

const REFUSED = [
  'http://127.0.0.1',
  'http://localhost',
  'http://LOCALHOST',
  'http://localhost.',
  'http://foo.localhost',
  'http://2130706433',
  'http://0x7f000001',
  'http://0x7f.1',
  'http://017700000001',
  'http://0',
  'http://0.0.0.0',
  'http://[::]',
  'http://[::1]',
  'http://[::ffff:127.0.0.1]',
  'http://[::ffff:7f00:1]',
  'http://[::127.0.0.1]',
  'http://[64:ff9b::7f00:1]',
  'http://[2002:7f00:1::]',
  'http://[fe80::1]',
  'http://[fe80::1%25eth0]',
  'http://[fd00:ec2::254]',
  'http://169.254.169.254/latest/meta-data/',
  'http://metadata.google.internal',
  'http://metadata.google.internal.',
  'http://instance-data',
  'http://168.63.129.16',
  'http://10.0.0.1',
  'http://100.64.0.1',
  'http://198.18.0.1',
  'http://192.0.0.192',
  'http://224.0.0.1',
  'http://255.255.255.255',
  'http://①②⑦.⓪.⓪.①',
  'http://127。0。0。1',
  'http://%31%32%37.0.0.1',
  'http:127.0.0.1',
  'http:///127.0.0.1',
  'http:example.com',
  'http:///example.com',
  'http://example.com@127.0.0.1/',
  'http://example.com\\@127.0.0.1/',
  'http://user:pass@example.com',
  'http://user@example.com',
  'http://@example.com',
  'http://:@example.com',
  'file:///etc/passwd',
  'gopher://x',
  'ftp://example.com/',
  'javascript:alert(1)',
  'data:,x',
  'unix:/var/run/docker.sock',
  '//example.com',
  '/hooks',
  'example.com',
  '',
  ' ',
  'http://',
  'http://?',
  `https://example.com/${'a'.repeat(2048)}`,
  `https://example.com/${'é'.repeat(1000)}`,
  'http://example.com:0',
  'http://example.com:99999',
  'http://example.com:25',
  'http://example.com:6379',
  'http://example.com:-1',
  'http://exa mple.com',
  ' http://example.com',
  'http://example.com ',
  'http://example.com/a b',
  'http://exam\tple.com',
  'http://example.com/\r',
  'http://example.com/\r\nX-Injected: 1',
  'http://example.com\n',
  'http://example.com/\u0000',
  'http://example.com/\u0085',
  'http://example.com/\u00a0',
  'http://example.com/\u2028',
  `http://${'a'.repeat(64)}.example.com`,
  `http://${'a.'.repeat(127)}example.com`,
  'http://a..example.com',
  'http://.example.com',
  'http://example.com.',
  'http://example.com/#fragment',
  'http://example.com/#',
  'http://[::1',
];

test.each(REFUSED)('%j is refused', (url) => {
  expect(checkEndpointUrl(strict, url)).toEqual({ ok: false, message: expect.stringMatching(/./) });
});

test.each([
  ['https://example.com', 'https://example.com/'],
  ['HTTPS://EXAMPLE.com:443/Hooks?a=b', 'https://example.com/Hooks?a=b'],
  ['http://1.1.1.1/hook', 'http://1.1.1.1/hook'],
  ['http://0x01010101/', 'http://1.1.1.1/'],
  ['https://[2606:4700::1111]:8443/', 'https://[2606:4700::1111]:8443/'],
  ['https://exämple.com/ü', 'https://xn--exmple-cua.com/%C3%BC'],
  ['https://example.com/a/../b/%2e%2e/c', 'https://example.com/c'],
  ['https://example.com/@user?to=a@b', 'https://example.com/@user?to=a@b'],
  [`https://${'a'.repeat(63)}.example.com/`, `https://${'a'.repeat(63)}.example.com/`],
  ['http://my_service.internal:3000/', 'http://my_service.internal:3000/'],
])('%s is kept as %s', (url, href) => {
  expect(checkEndpointUrl(strict, url)).toEqual({ ok: true, href });
});

test('a name of a single label is left to the guard, because compose networks use them', () => {
  expect(checkEndpointUrl(strict, 'http://receiver:3000/hook').ok).toBe(true);
});

test('where the operator allows loopback, loopback may be written', () => {
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  expect(checkEndpointUrl(policy, 'http://127.0.0.1:4000/')).toEqual({ ok: true, href: 'http://127.0.0.1:4000/' });
  expect(checkEndpointUrl(policy, 'http://localhost:4000/hook').ok).toBe(true);
  expect(checkEndpointUrl(policy, 'http://[::1]:4000/').ok).toBe(false);
  expect(checkEndpointUrl(policy, 'http://10.0.0.1/').ok).toBe(false);
});

test.each(['127.0.0.1', 'localhost', 'app.localhost'])('our own port is refused as ours at %s', (host) => {
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'], forbiddenSockets: ['127.0.0.1:8080'] });
  expect(checkEndpointUrl(policy, `http://${host}:8080/`)).toEqual({
    ok: false,
    message: 'port 8080 of this address belongs to this service',
  });
});

test('the demo may write its one socket and no other port of loopback', () => {
  const policy = compileEgressPolicy({ allowedSockets: ['127.0.0.1:4000'] });
  expect(checkEndpointUrl(policy, 'http://127.0.0.1:4000/').ok).toBe(true);
  expect(checkEndpointUrl(policy, 'http://127.0.0.1:4001/').ok).toBe(false);
});

test('http is refused where only https is allowed', () => {
  const policy = compileEgressPolicy({ httpsOnly: true });
  expect(checkEndpointUrl(policy, 'http://example.com').ok).toBe(false);
  expect(checkEndpointUrl(policy, 'https://example.com').ok).toBe(true);
});
