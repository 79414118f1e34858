import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { HttpServer } from '../../src/api/http-server.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let server: HttpServer;
let port: number;
let answers: ServerResponse[];

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  // As in production: it is the server that knows of connections that ended.
  server = new HttpServer();
  port = (await server.listen('127.0.0.1', 0)).port;
  const app = createApp(service.context);
  answers = [];
  server.serve((request, response) => {
    answers.push(response);
    app(request, response);
  });
});

afterAll(async () => {
  await server.stop(0);
  await service.stop();
});

/** Makes a call with a key that nobody has looked up yet, and leaves in the midst of the look. */
async function leave(path: string, rest: string): Promise<void> {
  const { key } = (await call(service.baseUrl, 'POST', '/v1/tenants/acme/keys', {})).body;
  const holder = await service.context.apiPool.connect();
  await holder.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE');
  const socket = connect(port, '127.0.0.1');
  const made = answers.length;
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n${rest}`);
  const waiting = "SELECT 1 FROM pg_locks WHERE relation = 'api_keys'::regclass AND NOT granted";
  await eventually(
    async () => (await holder.query(waiting)).rows,
    ({ length }) => length > 0,
  );
  const response = answers[made]!;
  const closed = once(response, 'close');
  socket.end();
  await closed;
  await holder.query('COMMIT');
  holder.release();
  await eventually(
    async () => response.writableEnded,
    (isOver) => isOver,
  );
}

async function count(table: 'replays' | 'events'): Promise<number> {
  const { rows } = await service.context.apiPool.query(`SELECT count(*)::int AS count FROM ${table}`);
  return rows[0].count;
}

test('a call is not made as though it had no body when its client leaves while its key is looked up', async () => {
  // Without it, the redrive of all dead letters.
  const body = '{"type":"a"}';
  const head = `content-type: application/json\r\ncontent-length: ${body.length}`;
  await leave('/v1/tenants/acme/dead-letters/redrive', `${head}\r\n\r\n${body}`);
  expect(await count('replays')).toBe(0);
});

test('a CloudEvent in binary mode is not stored without its data when its producer leaves while its key is looked up', async () => {
  const attributes = ['specversion: 1.0', 'id: 1', 'source: /here', 'type: left'];
  const head = attributes.map((line) => `ce-${line}\r\n`).join('');
  await leave('/v1/events', `${head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`);
  expect(await count('events')).toBe(0);
});
