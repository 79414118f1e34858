import { expect, test } from 'vitest';
import { brokerPolicy } from './brokers/broker-policy.ts';
import {
  checkAddress,
  checkPort,
  checkProtocol,
  compileEgressPolicy,
  type EgressRules,
  forbidSockets,
} from './egress-policy.ts';
import { parseNetwork } from './ip-address.ts';
import { deniedNetworks, deniedPorts } from './networks.ts';

const passes = (rules: EgressRules, ip: string, port = 443) => checkAddress(compileEgressPolicy(rules), ip, port).ok;

const DENIED = [
  '0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 168.63.129.16 169.254.169.254',
  '172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1',
  '203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255',
  ':: ::1 ::127.0.0.1 ::7f00:1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:169.254.169.254 ::ffff:0:7f00:1 ::ffff:0:8.8.8.8',
  '64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:db8::1',
  '2002:7f00:1:: 2002:808:808:: 3fff::1 3fff:fff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1 fe80::1 fe80::1%eth0',
  'febf::1 fec0::1 feff::1 ff02::1 ff0e::1',
].flatMap((line) => line.split(' '));

test.each(DENIED)('%s is reached by no delivery unless the operator allows it', (ip) => {
  expect(passes({}, ip)).toBe(false);
});

test.each([
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '126.0.0.1',
  '128.0.0.1',
  '168.63.129.17',
  '172.15.0.1',
  '172.32.0.1',
  '192.0.1.1',
  '198.17.0.1',
  '198.20.0.1',
  '223.255.255.255',
  '::ffff:1.1.1.1',
  '2606:4700::1111',
  '2001:1::1',
  '2003::1',
  '2a00::1',
  '64:ff9b:2::1',
  '4000::1',
])('%s is public, and passes', (ip) => {
  expect(passes({}, ip)).toBe(true);
});

test('everything that is not an IP address is refused', () => {
  for (const text of ['', 'localhost', 'example.com', '2130706433', '0x7f000001', '127.1', '[::1]']) {
    expect(passes({ allowedNetworks: ['0.0.0.0/0', '::/0'] }, text), text).toBe(false);
  }
});

test('an allowed CIDR opens its addresses and no others', () => {
  const rules = { allowedNetworks: ['10.1.0.0/16', 'fd12::/16', '::1/128'] };
  expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1', '::1'].map((ip) => passes(rules, ip))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['10.2.0.1', '127.0.0.1', 'fd13::1', '::'].map((ip) => passes(rules, ip))).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('a broad allowed CIDR opens neither link-local nor metadata addresses', () => {
  const rules = {
    allowedNetworks: ['0.0.0.0/0', '::/0', '169.0.0.0/8', 'fd00::/8', 'fe00::/7', '192.0.0.0/24', '100.64.0.0/10'],
  };
  expect(passes(rules, '10.0.0.1')).toBe(true);
  expect(passes(rules, 'fd01::1')).toBe(true);
  for (const ip of [
    '169.254.169.254',
    '169.254.1.1',
    '168.63.129.16',
    '192.0.0.192',
    '100.100.100.200',
    'fe80::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
    '0.0.0.0',
    '::',
  ]) {
    expect(passes(rules, ip), ip).toBe(false);
  }
});

test('a link-local or metadata address is opened by a CIDR that lies within its network', () => {
  expect(passes({ allowedNetworks: ['169.254.0.0/16'] }, '169.254.10.1')).toBe(true);
  expect(passes({ allowedNetworks: ['169.254.170.2/32'] }, '169.254.170.2')).toBe(true);
  expect(passes({ allowedNetworks: ['169.254.170.2/32'] }, '169.254.169.254')).toBe(false);
  expect(passes({ allowedNetworks: ['fd00:ec2::254'] }, 'fd00:ec2::254')).toBe(true);
});

test('a v6 form that carries a v4 address needs both to be allowed', () => {
  const nat64 = ['64:ff9b::/96'];
  expect(passes({ allowedNetworks: nat64 }, '64:ff9b::8.8.8.8')).toBe(true);
  expect(passes({ allowedNetworks: nat64 }, '64:ff9b::10.0.0.1')).toBe(false);
  expect(passes({ allowedNetworks: [...nat64, '10.0.0.0/8'] }, '64:ff9b::10.0.0.1')).toBe(true);
  expect(passes({ allowedNetworks: ['::/0'] }, '::ffff:127.0.0.1')).toBe(false);
  expect(passes({ allowedNetworks: ['::/0'] }, '64:ff9b::a9fe:a9fe')).toBe(false);
  expect(passes({ allowedNetworks: ['::/0'] }, '2002:a9fe:a9fe::')).toBe(false);
  // Teredo: the server in the clear, the client inverted; 0x80fffffe is 127.0.0.1.
  expect(passes({ allowedNetworks: ['::/0'] }, '2001:0:808:808::80ff:fffe')).toBe(false);
  expect(passes({ allowedNetworks: ['::/0'] }, '2001:0:808:808::f7f7:f7f7')).toBe(true);
  expect(passes({ allowedNetworks: ['::/0'] }, '2001:0:7f00:1::f7f7:f7f7')).toBe(false);
});

test.each(['64:ff9b::a00:5', '::10.0.0.5', '::ffff:0:10.0.0.5', '2002:a00:5::', '64:ff9b:1::a00:5'])(
  'a forbidden socket is not reached through %s, which carries its address',
  (ip) => {
    const rules = { allowedNetworks: ['0.0.0.0/0', '::/0'], forbiddenSockets: ['10.0.0.5:7001'] };
    expect([passes(rules, ip, 7001), passes(rules, ip, 7002)]).toEqual([false, true]);
  },
);

test.each([
  ['48', '64:ff9b:1:a00:0:500::'],
  ['48, with something behind', '64:ff9b:1:a00:0:508:808:808'],
  ['56', '64:ff9b:1:a:0:5::'],
  ['64', '64:ff9b:1::a:0:500:0'],
  ['96', '64:ff9b:1::a00:5'],
])('local NAT64 passes no address within that is not allowed: prefix of %s', (_bits, ip) => {
  expect(passes({ allowedNetworks: ['64:ff9b:1::/48'] }, ip)).toBe(false);
  expect(passes({ allowedNetworks: ['64:ff9b:1::/48', '10.0.0.0/24'] }, ip)).toBe(true);
});

test.each(['64:ff9b:1:808:8:800::', '64:ff9b:1:8:8:808::', '64:ff9b:1::8:808:800:0', '64:ff9b:1::808:808'])(
  'a public address in local NAT64 passes where its network is allowed, as %s too',
  (ip) => {
    expect([passes({}, ip), passes({ allowedNetworks: ['64:ff9b:1::/48'] }, ip)]).toEqual([false, true]);
  },
);

test('a forbidden socket is never reached, whatever is allowed and however it is spelt', () => {
  const rules = {
    allowedNetworks: ['0.0.0.0/0', '0.0.0.0/8', '::/0', '::/128'],
    allowedSockets: ['127.0.0.1:8080'],
    forbiddenSockets: ['127.0.0.1:8080', '[::1]:5433'],
  };
  expect(passes(rules, '127.0.0.1', 8080)).toBe(false);
  expect(passes(rules, '::ffff:127.0.0.1', 8080)).toBe(false);
  expect(passes(rules, '0.0.0.0', 8080)).toBe(false);
  expect(passes(rules, '::', 5433)).toBe(false);
  expect(passes(rules, '::1', 5433)).toBe(false);
  expect(passes(rules, '127.0.0.1', 8081)).toBe(true);
});

test('a service of ours that listens on all addresses is not reached through loopback', () => {
  const rules = { allowedNetworks: ['127.0.0.0/8', '::1/128'], forbiddenSockets: ['0.0.0.0:8080'] };
  for (const ip of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) {
    expect(passes(rules, ip, 8080), ip).toBe(false);
    expect(passes(rules, ip, 8081), ip).toBe(true);
  }
});

test('an allowed socket opens one port of one address', () => {
  const rules = { allowedSockets: ['127.0.0.1:4000', '[::1]:6379'] };
  expect(passes(rules, '127.0.0.1', 4000)).toBe(true);
  expect(passes(rules, '::1', 6379)).toBe(true);
  expect(passes(rules, '127.0.0.1', 4001)).toBe(false);
  expect(passes(rules, '127.0.0.2', 4000)).toBe(false);
});

test('ports of well-known services are refused unless the operator opens them', () => {
  const policy = compileEgressPolicy({ allowedPorts: [9200] });
  const listed = [
    22, 25, 110, 135, 139, 143, 389, 445, 465, 587, 993, 995, 2049, 2375, 3306, 3389, 5432, 5672, 6379, 9092, 11211,
    27017,
  ];
  for (const port of listed) expect(checkPort(policy, port).ok, String(port)).toBe(false);
  for (const port of [0, -1, 65536, 1.5, Number.NaN]) expect(checkPort(policy, port).ok, String(port)).toBe(false);
  for (const port of [80, 443, 8443, 9200, 65535]) expect(checkPort(policy, port).ok, String(port)).toBe(true);
  expect(passes({}, '1.1.1.1', 25)).toBe(false);
  expect(deniedPorts.size).toBe(listed.length + 1);
});

test('http is refused where only https is allowed', () => {
  expect(checkProtocol(compileEgressPolicy({ httpsOnly: true }), 'http:').ok).toBe(false);
  expect(checkProtocol(compileEgressPolicy({ httpsOnly: true }), 'https:').ok).toBe(true);
  expect(checkProtocol(compileEgressPolicy({}), 'http:').ok).toBe(true);
  expect(checkProtocol(compileEgressPolicy({}), 'file:').ok).toBe(false);
});

test('a refusal does not repeat the address', () => {
  expect(JSON.stringify(checkAddress(compileEgressPolicy({}), '10.20.30.40', 443))).not.toContain('10.20');
});

test('a rule that does not parse is refused at start', () => {
  for (const rules of [
    { allowedNetworks: ['10.0.0.0/99'] },
    { forbiddenSockets: ['localhost:80'] },
    { allowedSockets: ['::1:80'] },
  ]) {
    expect(() => compileEgressPolicy(rules), JSON.stringify(rules)).toThrow(RangeError);
  }
});

test('every denied network parses', () => {
  for (const { cidr } of deniedNetworks) expect(parseNetwork(cidr), cidr).not.toBeNull();
});

test('what is forbidden later is refused from then on, whatever is allowed', () => {
  const policy = compileEgressPolicy({ allowedNetworks: ['10.0.0.0/8'], allowedPorts: [5432] });
  const policies = [policy, brokerPolicy(policy, 'kafka')];
  for (const each of policies) expect(checkAddress(each, '10.0.0.1', 5432).ok).toBe(true);
  forbidSockets(policy, ['10.0.0.1:5432']);
  for (const each of policies) expect(checkAddress(each, '10.0.0.1', 5432).ok).toBe(false);
  expect(() => forbidSockets(policy, ['nowhere'])).toThrow(RangeError);
  expect(checkAddress(policy, '10.0.0.1', 5432).ok).toBe(false);
});
