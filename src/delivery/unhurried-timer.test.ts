import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './fixtures/delivery-rig.ts';
import { standStill } from './fixtures/stand-still.ts';
import { UnhurriedTimer } from './unhurried-timer.ts';

const STILL_MS = 50;

test('what the sockets had to say while the process stood still comes before a timer that is over since', async () => {
  await using server = createServer((socket) => socket.on('error', () => {}));
  const port = await listen(server, '127.0.0.1');
  const socket = connect({ host: '127.0.0.1', port });
  const seen: string[] = [];
  socket.once('connect', () => seen.push('socket'));
  await new Promise<void>((settle) => {
    new UnhurriedTimer(() => {
      seen.push('timer');
      settle();
    }, 1);
    standStill(STILL_MS);
  });
  socket.destroy();
  await once(socket, 'close');
  expect(seen).toEqual(['socket', 'timer']);
});

test.each(['before its time', 'when its time has passed'])('cleared %s it calls nobody', async (when) => {
  const timer = new UnhurriedTimer(() => expect.unreachable(), 1);
  if (when === 'before its time') timer.clear();
  // Timers of one length are called in their order: this one comes straight after it.
  await new Promise<void>((settle) => setTimeout(settle, 1));
  timer.clear();
  await new Promise((settle) => setImmediate(settle));
});
