import { EventEmitter, once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import { readJsonBody } from './json-body.ts';
import { readBytes } from './read-bytes.ts';

let server: Server;

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const refuse: ErrorRequestHandler = (error, _request, response, _next) => void response.sendStatus(error.status);

test.each([
  ['bytes', readBytes(100), 101],
  ['JSON', readJsonBody(), 256 * 1024 + 1],
])('a body of %s that announces too much is refused before any of it has come', async (_, read, length) => {
  server = express().post('/', read, refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (data: string) => {
    text += data;
  });
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`);
  await vi.waitFor(() => expect(text).toMatch(/^HTTP\/1\.1 413 /), { timeout: 10_000 });
  socket.destroy();
});

test.each([
  ['of a known length', { 'content-length': '5' }],
  ['that is chunked', { 'transfer-encoding': 'chunked' }],
])(
  'of a body %s no piece is kept that came after the first: pieces of one byte take no more than their bytes',
  (_, headers) => {
    const request = Object.assign(new EventEmitter(), { headers, destroyed: false }) as unknown as Request;
    const next = vi.fn();
    readBytes(100)(request, { locals: {} } as Response, next);
    request.emit('data', Buffer.from('1'));
    const piece = Buffer.alloc(1);
    for (const letter of '2345') {
      piece.write(letter);
      request.emit('data', piece);
    }
    request.emit('end');
    expect(next.mock.calls).toEqual([[undefined]]);
    expect(String(request.body)).toBe('12345');
  },
);
