import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, parseAddress, parseNetwork } from './ip-address.ts';

test('every spelling of a v6 address parses to the same bytes', () => {
  const spellings = [
    '2001:db8::1',
    '2001:0db8:0000:0000:0000:0000:0000:0001',
    '2001:DB8:0:0::1',
    '2001:db8::0.0.0.1',
    '2001:db8::1%eth0',
  ];
  for (const spelling of spellings) {
    expect(Buffer.from(parseAddress(spelling)!).toString('hex')).toBe('20010db8000000000000000000000001');
  }
});

test('any v6 address that node accepts parses back to itself', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      fc.pre(isIP(text) === 6);
      const bytes = parseAddress(text)!;
      const full =
        bytes.length === 4
          ? Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), bytes])
          : Buffer.from(bytes);
      const groups = full.toString('hex').match(/.{4}/g)!.join(':');
      expect(new URL(`http://[${groups}]`).hostname).toBe(new URL(`http://[${text}]`).hostname);
    }),
  );
});

test('an IPv4-mapped address is the v4 address that the socket reaches', () => {
  expect([...parseAddress('::ffff:127.0.0.1')!]).toEqual([127, 0, 0, 1]);
  expect([...parseAddress('::ffff:7f00:1')!]).toEqual([127, 0, 0, 1]);
  expect(parseNetwork('::ffff:10.0.0.0/104')).toEqual({ bytes: Uint8Array.of(10, 0, 0, 0), bits: 8 });
});

test('what is not an address is none', () => {
  for (const text of [
    '',
    'localhost',
    '0x7f.1',
    '127.1',
    '1.2.3.4.5',
    '256.0.0.1',
    ':::1',
    '1::2::3',
    '12345::',
    '[::1]',
  ]) {
    expect(parseAddress(text), text).toBeNull();
  }
});

test('what is not a CIDR is none', () => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0/8',
    '::/129',
    '::1%lo/128',
    '10.0.0.0/8/8',
    '10.0.0.0/ 8',
  ]) {
    expect(parseNetwork(text), text).toBeNull();
  }
});

test('a network contains exactly the addresses of its prefix', () => {
  const network = parseNetwork('172.16.5.9/12')!;
  const inside = (ip: string) => contains(network, parseAddress(ip)!);
  expect([inside('172.16.0.0'), inside('172.31.255.255')]).toEqual([true, true]);
  expect([inside('172.15.255.255'), inside('172.32.0.0'), inside('::172.16.0.1')]).toEqual([false, false, false]);
  expect(contains(parseNetwork('0.0.0.0/0')!, parseAddress('203.0.113.1')!)).toBe(true);
  expect(contains(parseNetwork('10.0.0.1')!, parseAddress('10.0.0.2')!)).toBe(false);
});
