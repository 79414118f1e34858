import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import { PATIENCE_MS } from '../../tests/support/patience.ts';
import { bodyBudget } from './body-budget.ts';
import { readBytes } from './read-bytes.ts';

let server: Server;

afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A producer that is gone before its key was looked up; then another, with as much to say. */
async function afterOneThatLeft(rest: readonly (RequestHandler | ErrorRequestHandler)[]): Promise<number> {
  const asked = Promise.withResolvers<void>();
  const known = Promise.withResolvers<void>();
  let isFirst = true;
  const lookUp: RequestHandler = async (_request, response, next) => {
    if (isFirst) {
      isFirst = false;
      const gone = once(response, 'close');
      asked.resolve();
      await gone;
      next();
      known.resolve();
      return;
    }
    next();
  };
  const answer: RequestHandler = (_request, response) => void response.sendStatus(202);
  const app = express().post('/', lookUp, ...rest, answer);
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\n{');
  await asked.promise;
  socket.destroy();
  await known.promise;
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x'.repeat(60) });
  return status;
}

const BUDGET = { budgetBytes: 100, unannouncedBytes: 10 };
const refuse: ErrorRequestHandler = (error, _request, response, _next) => void response.sendStatus(error.status);

test('bytes reserved for a body whose producer left before it was read do not stay reserved', async () => {
  expect(await afterOneThatLeft([bodyBudget(BUDGET)(100), refuse])).toBe(202);
});

test('a body whose producer left before it was asked for is told to have ended', async () => {
  const refusals: unknown[] = [];
  const note: ErrorRequestHandler = (error, _request, response, _next) => {
    refusals.push(error.code);
    response.end();
  };
  expect(await afterOneThatLeft([readBytes(100), note])).toBe(202);
  expect(refusals).toEqual(['incomplete_body']);
});

test('a body that is too large to be taken holds no others up, however slowly it comes', async () => {
  const asked = Promise.withResolvers<void>();
  const hold: RequestHandler = (request, response) => {
    if (request.headers['content-length'] === '101') asked.resolve();
    else response.sendStatus(202);
  };
  server = express().post('/', bodyBudget(BUDGET)(100), hold, refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n{');
  await asked.promise;
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' });
  socket.destroy();
  expect(status).toBe(202);
});

test('bodies of one tenant take half of what there is at the most, and another’s are read beside them', async () => {
  const asTenant: RequestHandler = (request, response, next) => {
    response.locals.caller = { kind: 'tenant', tenant: { num: Number(request.headers['x-tenant']) } };
    next();
  };
  const arrivals: (() => void)[] = [];
  const hold: RequestHandler = (_request, response) => {
    if (response.locals.caller.tenant.num === 1) arrivals.shift()?.();
    else response.sendStatus(202);
  };
  server = express().post('/', asTenant, bodyBudget(BUDGET)(100), hold, refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets = [];
  for (let i = 0; i < 2; i++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    arrivals.push(resolve);
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: x\r\nx-tenant: 1\r\ncontent-length: 25\r\n\r\n{');
    sockets.push(socket);
    await promise;
  }
  const post = async (tenant: string) => {
    const { status } = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: 'x'.repeat(25),
      headers: { 'x-tenant': tenant },
    });
    return status;
  };
  expect([await post('1'), await post('2')]).toEqual([503, 202]);
  for (const socket of sockets) socket.destroy();
});

test('for a body of unknown length more is reserved as it comes, and it is refused where there is no more', async () => {
  const answer: RequestHandler = (_request, response) => void response.sendStatus(202);
  server = express().post('/', bodyBudget(BUDGET)(100), readBytes(100), answer, refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const post = async (body: string | ReadableStream) =>
    (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' } as RequestInit)).status;
  const chunked = (bytes: number) => post(new Blob(['x'.repeat(bytes)]).stream());
  expect(await post('x'.repeat(50))).toBe(202);
  const socket = connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  socket.write(`3c\r\n${'x'.repeat(60)}\r\n`);
  await vi.waitFor(async () => expect(await post('x'.repeat(50))).toBe(503), PATIENCE_MS);
  expect([await chunked(10), await chunked(50)]).toEqual([202, 503]);
  socket.destroy();
  await vi.waitFor(async () => expect(await chunked(50)).toBe(202), PATIENCE_MS);
});
