import { expect, test } from 'vitest';
import { Destination } from './destination.ts';
import { compileEgressPolicy } from './egress-policy.ts';

const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
const hostOf = (...addresses: string[]) => ({ hostname: 'host.test', addresses, port: 4000 });

test('a receiver of which one address is not allowed is no destination, and what is told does not hold the address', () => {
  const blocked = Destination.ofReceiver(policy, hostOf('127.0.0.1', '10.0.0.1'));
  expect(blocked).toMatchObject({ kind: 'blocked', detail: expect.stringMatching(/^host\.test: /) });
  expect(JSON.stringify(blocked)).not.toContain('10.0');
});

test('a socket of a receiver that came out where the policy does not allow is blocked, one of the proxy not', () => {
  const receiver = Destination.ofReceiver(policy, hostOf('127.0.0.1')) as Destination;
  expect(receiver.addresses).toEqual(['127.0.0.1']);
  expect(receiver.checkPeer('127.0.0.1')).toBeNull();
  expect(receiver.checkPeer('10.0.0.1')).toMatchObject({ kind: 'blocked' });
  const proxy = Destination.ofProxy(hostOf('10.0.0.1'));
  expect(proxy.checkPeer('10.0.0.1')).toBeNull();
});

test('of a socket that is closed already it is not known where it came out', () => {
  for (const destination of [
    Destination.ofReceiver(policy, hostOf('127.0.0.1')) as Destination,
    Destination.ofProxy(hostOf('127.0.0.1')),
  ])
    expect(destination.checkPeer(undefined)).toMatchObject({ kind: 'unreachable', reason: 'reset' });
});
