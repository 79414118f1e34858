import { expect, test } from 'vitest';
import { compileEgressPolicy } from './egress-policy.ts';
import { vetAddresses } from './vet-addresses.ts';

const V4_ALONE = { allowedNetworks: ['127.0.0.0/8'] };
const OWN = { forbiddenSockets: ['127.0.0.1:8080'] };

const vet = (rules: object, hostname: string, addresses: string[], port = 4000) =>
  vetAddresses(compileEgressPolicy(rules), hostname, addresses, port);

test.each([
  ['localhost', V4_ALONE, ['127.0.0.1', '::1'], ['127.0.0.1']],
  ['LOCALHOST.', V4_ALONE, ['::1', '127.0.0.1'], ['127.0.0.1']],
  ['app.localhost', { allowedNetworks: ['::1/128'] }, ['127.0.0.1', '::1'], ['::1']],
  ['localhost', { allowedNetworks: ['127.0.0.0/8', '::1/128'] }, ['127.0.0.1', '::1'], ['127.0.0.1', '::1']],
  ['localhost', { allowedSockets: ['127.0.0.1:4000'] }, ['127.0.0.1', '::1'], ['127.0.0.1']],
])('%s under %j with %j is reached at %j', (hostname, rules, addresses, reached) => {
  expect(vet(rules, hostname, addresses)).toEqual({ ok: true, addresses: reached });
});

test.each([
  ['no loopback is allowed', 'localhost', {}, ['127.0.0.1', '::1']],
  ['another name resolves to loopback', 'two.test', V4_ALONE, ['127.0.0.1', '::1']],
  ['another name ends alike', 'notlocalhost', V4_ALONE, ['127.0.0.1', '::1']],
  ['the hosts file gives it an address that is private', 'localhost', V4_ALONE, ['127.0.0.1', '10.0.0.1']],
  ['its one allowed address is not loopback', 'app.localhost', {}, ['127.0.0.1', '1.1.1.1']],
  ['a loopback address is spelled within another', 'localhost', V4_ALONE, ['127.0.0.1', '64:ff9b::7f00:1']],
])('a host is refused where %s', (_why, hostname, rules, addresses) => {
  expect(vet(rules, hostname, addresses)).toMatchObject({ ok: false });
});

test('what is ours at one address of localhost refuses the name, although another is allowed', () => {
  const rules = { allowedNetworks: ['127.0.0.0/8', '::1/128'], ...OWN };
  expect(vet(rules, 'localhost', ['127.0.0.1', '::1'], 8080)).toEqual({
    ok: false,
    detail: 'port 8080 of this address belongs to this service',
  });
  expect(vet(rules, 'localhost', ['127.0.0.1', '::1'], 22)).toMatchObject({ ok: false });
});
