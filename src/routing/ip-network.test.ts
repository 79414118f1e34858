import { expect, test } from 'vitest';
import { isWithin, parseCidr, parseIp } from './ip-network.ts';

test.each<[string, number[]]>([
  ['10.0.0.1', [0x0a00, 1]],
  ['255.255.255.255', [0xffff, 0xffff]],
  ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
  ['1::', [1, 0, 0, 0, 0, 0, 0, 0]],
  ['::8', [0, 0, 0, 0, 0, 0, 0, 8]],
  ['1:2:3:4::6:7:8', [1, 2, 3, 4, 0, 6, 7, 8]],
  ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
  ['2001:DB8::1.2.3.4', [0x2001, 0xdb8, 0, 0, 0, 0, 0x102, 0x304]],
  ['0000:0000:0000:0000:0000:ffff:192.168.100.228', [0, 0, 0, 0, 0, 0xffff, 0xc0a8, 0x64e4]],
])('%s is an address', (text, groups) => {
  expect(parseIp(text)).toEqual(groups);
});

test.each([
  '',
  ':',
  '1',
  '1.2.3',
  '1.2.3.4.',
  '01.2.3.4',
  '1.2.3.256',
  ':::',
  ':1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:',
  '1:2:3:4:5:6:7:',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4::5:6:7:8',
  '::1::',
  '1::2::3',
  '12345::',
  '1.2.3.4::',
  '::1.2.3.4:5',
  '::1.2.3',
  'fe80::1%eth0',
])('"%s" is none', (text) => {
  expect(parseIp(text)).toBeNull();
});

test('a network is of its own family, and its length no more than the bits of an address', () => {
  expect([parseCidr('1.2.3.4/32')?.bits, parseCidr('::/128')?.bits]).toEqual([32, 128]);
  expect([parseCidr('1.2.3.4/33'), parseCidr('::/129'), parseCidr('1.2.3.4')]).toEqual([null, null, null]);
  expect(isWithin(parseIp('::')!, parseCidr('0.0.0.0/0')!)).toBe(false);
  expect(isWithin(parseIp('0.0.0.0')!, parseCidr('::/0')!)).toBe(false);
});
