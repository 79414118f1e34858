import { expect, test } from 'vitest';
import { compileEgressPolicy, type EgressRules } from '../egress-policy.ts';
import { fakeResolver, type Zone } from '../fixtures/delivery-rig.ts';
import { createHostGuard } from './host-guard.ts';

const zone: Zone = {
  'public.test': ['93.184.216.34'],
  'private.test': ['10.0.0.1'],
  'mixed.test': ['93.184.216.34', '10.0.0.1'],
  'empty.test': [],
  'down.test': 'ESERVFAIL',
};
const guard = (rules: EgressRules = {}, type: 'kafka' | 'rabbitmq' = 'kafka', tls = true) =>
  createHostGuard({ policy: compileEgressPolicy(rules), resolver: fakeResolver(zone) }, { type, tls });
const verdict = (own: ReturnType<typeof guard>, hostname: string, port = 9093) =>
  own.vet({ hostname, port }).catch((error) => error.failure);

test('a host is given by its addresses, and refused for a single one that is not allowed', async () => {
  expect(await verdict(guard(), 'public.test')).toEqual(['93.184.216.34']);
  for (const name of [
    'private.test',
    'mixed.test',
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '169.254.169.254',
    '::1',
    'fe80::1%eth0',
  ])
    expect(await verdict(guard(), name), name).toMatchObject({ kind: 'blocked' });
  expect(await verdict(guard({ allowedNetworks: ['10.0.0.0/8'] }), 'mixed.test')).toHaveLength(2);
});

test('what is told of a refusal does not hold the address that a name has', async () => {
  expect(JSON.stringify(await verdict(guard(), 'private.test'))).not.toContain('10.0.0');
});

test.each([
  ['kafka', 9092, true],
  ['kafka', 5672, false],
  ['rabbitmq', 5672, true],
  ['rabbitmq', 9092, false],
  ['kafka', 6379, false],
  ['rabbitmq', 25, false],
  ['kafka', 0, false],
  ['kafka', -1, false],
  ['kafka', 2 ** 31 - 1, false],
] as const)('%s on port %i: %s', async (type, port, isAllowed) => {
  expect(Array.isArray(await verdict(guard({}, type), 'public.test', port))).toBe(isAllowed);
});

test('sockets of ours stay forbidden, whatever network is allowed', async () => {
  const rules = { allowedNetworks: ['127.0.0.0/8'], forbiddenSockets: ['127.0.0.1:9092'] };
  expect(await verdict(guard(rules), '127.0.0.1', 9092)).toMatchObject({ kind: 'blocked' });
  expect(await verdict(guard(rules), '127.0.0.1', 9093)).toEqual(['127.0.0.1']);
});

test('where only https is allowed, brokers are reached by TLS alone', async () => {
  expect(await verdict(guard({ httpsOnly: true }, 'kafka', false), 'public.test')).toMatchObject({ kind: 'blocked' });
  expect(await verdict(guard({ httpsOnly: true }), 'public.test')).toHaveLength(1);
});

test('a name without addresses, or whose servers fail, is unreachable for its DNS', async () => {
  for (const name of ['empty.test', 'down.test', 'absent.test'])
    expect(await verdict(guard(), name), name).toMatchObject({ kind: 'unreachable', reason: 'dns' });
});
