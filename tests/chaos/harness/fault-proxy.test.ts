import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { FaultProxy } from './fault-proxy.ts';

let server: Server;
let proxy: FaultProxy;
let arrived: string;
const sockets = new Set<Socket>();

/** Answers what it gets with the same in capitals. */
async function listen(): Promise<Server> {
  const started = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      arrived += chunk;
      socket.write(String(chunk).toUpperCase());
    });
  });
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return started;
}

const portOf = (of: Server) => (of.address() as { port: number }).port;

beforeEach(async () => {
  arrived = '';
  server = await listen();
  proxy = await FaultProxy.start(portOf(server));
});

afterEach(async () => {
  await proxy.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
}

/** Silence leaves no signal to wait for: a while that is long beside loopback. */
async function isSilent(socket: Socket): Promise<boolean> {
  return Promise.race([once(socket, 'data').then(() => false), delay(150, true)]);
}

test('it passes on what goes either way, whole', async () => {
  const socket = await dial();
  expect(await ask(socket, 'hello')).toBe('HELLO');
  socket.end();
  await once(socket, 'close');
});

test('latency holds back what goes through, and changes nothing of it', async () => {
  const socket = await dial();
  await ask(socket, 'warm');
  await proxy.setMode({ kind: 'latency', rttMs: 300 });
  const answer = ask(socket, 'late');
  expect(await Promise.race([answer, delay(150, 'not yet')])).toBe('not yet');
  expect(await answer).toBe('LATE');
});

test('a black hole takes connections and bytes, and nothing arrives; open connections are lost afterwards', async () => {
  const old = await dial();
  await ask(old, 'before');
  await proxy.setMode({ kind: 'blackhole' });
  const young = await dial();
  old.write('lost');
  young.write('lost');
  expect(await isSilent(old)).toBe(true);
  expect(arrived).toBe('before');
  const closed = [old, young].map((socket) => new Promise((resolve) => socket.on('close', resolve)));
  await proxy.setMode({ kind: 'pass' });
  await Promise.all(closed);
  expect(await ask(await dial(), 'after')).toBe('AFTER');
});

test('half-open: questions arrive, answers do not', async () => {
  const socket = await dial();
  await proxy.setMode({ kind: 'half-open' });
  socket.write('heard');
  await eventually(
    async () => arrived,
    (text) => text === 'heard',
  );
  expect(await isSilent(socket)).toBe(true);
});

test('refuse takes no new connection on the same port, until it passes again', async () => {
  const { port } = proxy;
  await proxy.setMode({ kind: 'refuse' });
  const refused = connect(port, '127.0.0.1');
  expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
  await proxy.setMode({ kind: 'pass' });
  expect(proxy.port).toBe(port);
  expect(await ask(await dial(), 'back')).toBe('BACK');
});

test('a cut resets every connection, and new ones are taken', async () => {
  const socket = await dial();
  await ask(socket, 'before');
  expect(proxy.connections).toBe(1);
  const error = once(socket, 'error');
  proxy.cut();
  expect(await error).toMatchObject([{ code: 'ECONNRESET' }]);
  expect(proxy.connections).toBe(0);
  expect(await ask(await dial(), 'again')).toBe('AGAIN');
});

test('a hang-up ends every connection without an error', async () => {
  const socket = await dial();
  await ask(socket, 'before');
  const ended = once(socket, 'close');
  proxy.hangUp();
  expect(await ended).toEqual([false]);
  expect(proxy.connections).toBe(0);
});

test('after a new target new connections lead there', async () => {
  const other = await listen();
  proxy.retarget(portOf(other));
  server.close();
  expect(await ask(await dial(), 'there')).toBe('THERE');
  for (const socket of sockets) socket.destroy();
  other.close();
});

test('a target that ends a connection ends it for the client too', async () => {
  const socket = await dial();
  await ask(socket, 'hello');
  const closed = once(socket, 'end');
  for (const each of sockets) if (each !== socket) each.end();
  await closed;
});
