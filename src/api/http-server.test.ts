import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HttpServer, ListenError } from './http-server.ts';

let server: HttpServer;
let port: number;

beforeEach(async () => {
  server = new HttpServer();
  port = (await server.listen('127.0.0.1', 0)).port;
});

afterEach(() => server.stop(0));

async function ask(agent?: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get({ host: '127.0.0.1', port, path: '/', agent }), 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

test('until it has an app the server answers 503 and says when to come back', async () => {
  const response = await ask();
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  server.serve((_request, answer) => answer.end('hello'));
  expect((await ask()).statusCode).toBe(200);
});

test('a port that is taken, and an address that is not ours, are told with what to do', async () => {
  const other = new HttpServer();
  await expect(other.listen('127.0.0.1', port)).rejects.toThrow(ListenError);
  await expect(other.listen('127.0.0.1', port)).rejects.toThrow(/taken by another program.*PORT=/);
  await expect(other.listen('192.0.2.1', 0)).rejects.toThrow(/no address 192\.0\.2\.1.*HOST=/);
});

test('a stop lets the request under way finish, takes no new connection, and closes idle ones', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((_request, response) => resolve(response));
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  const answer = ask();
  const response = await arrived;
  const idleClosed = once(idle, 'close');
  idle.resume();
  // A deadline far beyond the test's own: a stop that waits for it fails.
  const stopped = server.stop(600_000);
  server.serve((_request, later) => later.end());
  await vi.waitFor(() => expect(ask()).rejects.toThrow(), { timeout: 30_000 });
  response.end('done');
  expect((await answer).statusCode).toBe(200);
  await Promise.all([stopped, idleClosed]);
});

test('a request that does not end is cut at the deadline', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  server.serve(() => resolve());
  const answer = ask().catch((error: NodeJS.ErrnoException) => error.code);
  await arrived;
  await server.stop(50);
  expect(await answer).toBe('ECONNRESET');
});

test('while it stops, a connection that is kept alive is told to close', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  let count = 0;
  server.serve((_request, response) => (count++ === 0 ? resolve(response) : response.end('again')));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const first = ask(agent);
  const second = ask(agent).catch(() => null);
  const response = await arrived;
  const stopped = server.stop(10_000);
  response.end('first');
  await first;
  const later = await second;
  if (later !== null) expect(later.headers.connection).toBe('close');
  agent.destroy();
  await stopped;
});
