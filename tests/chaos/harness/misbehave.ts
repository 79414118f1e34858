import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Misbehaviour } from './behaviour.ts';

const DRIP_MS = 200;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** 64 MiB of zeros in about 64 KiB. */
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024));

/** Writes an answer that is wrong, hostile or never ends, straight onto the socket. `over(status)` says which status it gave. */
export function misbehave(how: Misbehaviour, response: ServerResponse, over: (status: number) => void): void {
  const { socket } = response;
  if (socket === null) return;
  socket.on('error', () => {});
  switch (how) {
    case 'drip-headers':
      drip(socket, 'HTTP/1.1 200 OK\r\nx-', 'a');
      return;
    case 'drip-body':
      over(200);
      drip(socket, 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n', 'a');
      return;
    case 'endless-body':
      over(200);
      flood(socket, 'HTTP/1.1 200 OK\r\n\r\n', CHUNK);
      return;
    case 'informational-flood':
      flood(socket, '', Buffer.from('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1_000)));
      return;
    case 'huge-headers':
      end(socket, `HTTP/1.1 200 OK\r\nx-huge: ${'h'.repeat(200 * 1024)}\r\ncontent-length: 0\r\n\r\n`);
      return;
    case 'many-headers':
      end(socket, `HTTP/1.1 200 OK\r\n${'x-many: 1\r\n'.repeat(10_000)}content-length: 0\r\n\r\n`);
      return;
    case 'bad-chunking':
      end(socket, 'HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n');
      return;
    case 'two-lengths':
      end(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab');
      return;
    case 'gzip-bomb':
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': BOMB.length }).end(BOMB);
  }
}

function end(socket: Socket, text: string): void {
  socket.end(text);
}

/** The start at once, and then a letter now and then, until the sender hangs up. */
function drip(socket: Socket, start: string, letter: string): void {
  socket.write(start);
  const timer = setInterval(() => socket.write(letter), DRIP_MS);
  socket.on('close', () => clearInterval(timer));
}

/** As much as the sender takes, until it hangs up. */
function flood(socket: Socket, start: string, chunk: Buffer): void {
  socket.write(start);
  const pour = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', pour);
  pour();
}
