import { expect, test } from 'vitest';
import { ownSockets } from './own-sockets.ts';

const listener = { address: '127.0.0.1', port: 8080 };

test('the listener, and every host of the services that we use, are our own', async () => {
  const sockets = await ownSockets(listener, [
    { url: 'postgres://user:p%40ss@127.0.0.2:6000,127.0.0.3/db?x=1', defaultPort: 5432 },
    { url: 'redis://[::1]', defaultPort: 6379 },
    { url: undefined, defaultPort: 1 },
  ]);
  expect(sockets).toEqual(['127.0.0.1:8080', '127.0.0.2:6000', '127.0.0.3:5432', '[::1]:6379']);
});

test('listening everywhere makes every address of the machine our own', async () => {
  const sockets = await ownSockets({ address: '0.0.0.0', port: 8080 }, []);
  expect(sockets).toContain('0.0.0.0:8080');
  expect(sockets).toContain('127.0.0.1:8080');
});
