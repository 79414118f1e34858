import { expect, test } from 'vitest';
import { readRedisAddress } from './redis-address.ts';

const at = (host: string, port: number) => ({ host, port });

test.each([
  ['redis://localhost:6379/2', { kind: 'one' }],
  ['rediss://user:pass@localhost', { kind: 'one' }],
  ['redis+cluster://a,b:7001', { kind: 'cluster', nodes: [at('a', 6379), at('b', 7001)], login: {}, isTls: false }],
  [
    'rediss+cluster://u%40x:p%3Aw@a:7000',
    { kind: 'cluster', nodes: [at('a', 7000)], login: { username: 'u@x', password: 'p:w' }, isTls: true },
  ],
  [
    'redis+sentinel://a,b:26380',
    {
      kind: 'sentinel',
      nodes: [at('a', 26379), at('b', 26380)],
      login: {},
      isTls: false,
      master: 'mymaster',
      sentinelLogin: {},
    },
  ],
  [
    'rediss+sentinel://:rp@a:1/main?sentinel_username=s&sentinel_password=s%26p',
    {
      kind: 'sentinel',
      nodes: [at('a', 1)],
      login: { password: 'rp' },
      isTls: true,
      master: 'main',
      sentinelLogin: { sentinelUsername: 's', sentinelPassword: 's&p' },
    },
  ],
  [
    'redis+cluster://:a:b@[::1]:7001,[2001:db8::1]',
    { kind: 'cluster', nodes: [at('::1', 7001), at('2001:db8::1', 6379)], login: { password: 'a:b' }, isTls: false },
  ],
  [
    'redis+sentinel://h?sentinel_password=p@q+r',
    {
      kind: 'sentinel',
      nodes: [at('h', 26379)],
      login: {},
      isTls: false,
      master: 'mymaster',
      sentinelLogin: { sentinelPassword: 'p@q+r' },
    },
  ],
])('%s', (text, address) => {
  expect(readRedisAddress(text)).toEqual(address);
});

test.each([
  'redis://h:1,i:2',
  'redis+sentinel://',
  'redis+cluster://h:x,i:2',
  'redis+cluster://h:1,',
  'rediss+sentinel://h:1,i:2/m/1',
  'redis+sentinel://h?sentinelPassword=x',
  'redis+sentinel://h?sentinel_password=%',
  'redis+sentinel://:a%@h',
  'redis+cluster://h?sentinel_password=x',
  'redis+cluster://h/1',
  'redis+sentinel://a@b@c',
])('%s is none', (text) => {
  expect(readRedisAddress(text)).toBeNull();
});
