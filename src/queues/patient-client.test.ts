import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { PatientClient } from './patient-client.ts';

/** A message of Postgres's protocol: its letter, its length, its content. */
function message(letter: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5, letter);
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const WELCOME = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))];
const FAREWELL = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));

test('a connection that breaks in the moment in which it is made does not end the process, and tells the first who listens', async () => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.end(Buffer.concat([...WELCOME, FAREWELL])));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = new PatientClient({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, user: 'any' });
  await client.connect();
  // As long as nobody listens, the error of an ordinary client ends the process.
  await new Promise<void>((resolve) => client.once('end', resolve));
  const told = new Promise((resolve) => client.on('error', resolve));
  expect(await told).toMatchObject({ code: '57P01' });
});
