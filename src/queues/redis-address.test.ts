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
])('%s', (text, address) => {
  expect(readRedisAddress(text)).toEqual(address);
});
