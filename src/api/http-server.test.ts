import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { PATIENCE_MS } from '../../tests/support/patience.ts';
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

test('until it has an app the server answers 503 and says when to come back: to calls as a problem, to probes as they know it', async () => {
  const url = `http://127.0.0.1:${port}`;
  const call = await fetch(`${url}/v1/tenants`);
  expect([call.status, call.headers.get('retry-after'), call.headers.get('content-type')]).toEqual([
    ...[503, '1', 'application/problem+json'],
  ]);
  const request_id = call.headers.get('x-request-id');
  expect(await call.json()).toMatchObject({ status: 503, code: 'starting', request_id });
  for (const path of ['/healthz', '/readyz?verbose']) {
    const probe = await fetch(url + path);
    expect([probe.status, await probe.json()]).toEqual([503, { status: 'starting', problems: ['it is starting'] }]);
  }
  server.serve((_request, answer) => answer.end('hello'));
  expect((await ask()).statusCode).toBe(200);
});

test.each([
  ['without a Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'invalid_request'],
  ['with a fragment', 'GET /metrics#x HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'invalid_request'],
  ['with two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400, 'invalid_request'],
  [
    'with two keys',
    'GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\r\nidempotency-key: b\r\n\r\n',
    400,
    'invalid_request',
  ],
  [
    'of another coding',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    415,
    'unsupported_encoding',
  ],
  ['that expects what nobody knows', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 417, 'expectation_failed'],
  ['of HTTP/1.0 with a fragment', 'GET /#x HTTP/1.0\r\n\r\n', 400, 'invalid_request'],
  ['of HTTP/1.0 without a Host', 'GET / HTTP/1.0\r\n\r\n', 200, null],
  ['with a Host', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200, null],
])('a request %s is answered in full, and a refusal is a problem document', async (_what, text, status, code) => {
  server.serve((_request, response) => response.end('{"code":null}'));
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  const [head, body] = answer.split('\r\n\r\n') as [string, string];
  expect(head.split(' ')[1]).toBe(String(status));
  expect(/\{.*\}/.exec(body)?.[0]).toContain(`"code":${JSON.stringify(code)}`);
  expect(head.includes('application/problem+json')).toBe(status !== 200);
});

test('a request whose body ends early is told so, which says that it may be sent again', async () => {
  server.serve(() => {});
  const socket = connect(port, '127.0.0.1');
  socket.end('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*"code":"incomplete_body"/s);
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
  await vi.waitFor(() => expect(ask()).rejects.toThrow(), PATIENCE_MS);
  response.end('done');
  expect((await answer).statusCode).toBe(200);
  await Promise.all([stopped, idleClosed]);
});

const requests = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `GET /${from + i} HTTP/1.1\r\nhost: x\r\n\r\n`).join('');

test('a connection that is lost closes the answer under way', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((_request, response) => resolve(response));
  const client = connect(port, '127.0.0.1');
  client.write(requests(1));
  const closed = once(await arrived, 'close');
  client.destroy();
  await closed;
});

test.each(['cut off', 'closed after its answer'])(
  'when a connection is %s, nothing is begun of what waits behind',
  async (how) => {
    const begun: string[] = [];
    server.serve((request, response) => {
      begun.push(request.url!);
      if (request.url === '/') response.end();
      else if (how === 'cut off') response.destroy();
      else response.setHeader('connection', 'close').end();
    });
    const client = connect(port, '127.0.0.1');
    client.resume().write(requests(3));
    await once(client, 'close');
    await ask();
    expect(begun).toEqual(['/1', '/']);
  },
);

test('of a connection one request is handled at a time, those of others have their turn between, and the answers come in order', async () => {
  const begun: string[] = [];
  const waiting: ServerResponse[] = [];
  server.serve((request, response) => {
    begun.push(request.url!);
    if (request.url === '/') response.end();
    else waiting.push(response);
  });
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  // In pieces: the last comes in the middle of a head, and is read when there is room.
  const sent = requests(20);
  client.write(sent.slice(0, -30));
  await vi.waitFor(() => expect(begun).toEqual(['/1']), PATIENCE_MS);
  client.write(sent.slice(-30));
  await ask();
  expect(begun).toEqual(['/1', '/']);
  for (let i = 1; i <= 20; i++) {
    await vi.waitFor(() => expect(waiting).toHaveLength(1), PATIENCE_MS);
    const response = waiting.pop()!;
    response.end(`answer ${i}.`);
  }
  await vi.waitFor(() => expect(text).toContain('answer 20.'), PATIENCE_MS);
  expect(text.match(/answer \d+\./g)).toEqual(Array.from({ length: 20 }, (_, i) => `answer ${i + 1}.`));
  client.destroy();
});

test('a connection that sends thousands of requests without reading has a few of them handled, and is closed', async () => {
  let begun = 0;
  server.serve((request, response) => {
    if (request.url !== '/') begun++;
    response.end('x');
  });
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  client.on('error', () => {});
  client.write(requests(3_000));
  await once(client, 'close');
  expect(begun).toBeLessThanOrEqual(33);
  expect(text.match(/^HTTP/gm)!.length).toBeLessThanOrEqual(begun);
  expect((await ask()).statusCode).toBe(200);
});

test('while requests wait no more of a connection is read, so that its client is kept waiting too', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  let begun = 0;
  server.serve((request, response) => {
    begun++;
    if (request.url === '/') response.end();
    else resolve(response);
  });
  const client = connect(port, '127.0.0.1');
  client.write(requests(2));
  const { socket } = await arrived;
  await vi.waitFor(() => expect(socket!.isPaused()).toBe(true), PATIENCE_MS);
  const before = socket!.bytesRead;
  // More than the buffers of the system take: all of it is never sent.
  const flood = client.write(Buffer.alloc(64 * 1024 * 1024, requests(1)));
  expect(flood).toBe(false);
  await ask();
  expect([socket!.bytesRead, begun]).toEqual([before, 2]);
  client.destroy();
});

test('what is no request gets no answer where one is made for the request before it', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  server.serve(() => resolve());
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  client.write(requests(1));
  await arrived;
  client.write('no request\r\n\r\n');
  await once(client, 'close');
  expect(text).toBe('');
});

test('a request that does not end is cut at the deadline', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  server.serve(() => resolve());
  const answer = ask().catch((error: NodeJS.ErrnoException) => error.code);
  await arrived;
  await server.stop(50);
  expect(await answer).toBe('ECONNRESET');
});

test('while it stops, an idle connection can be used once more, and every answer says that it was the last', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((_request, response) => response.end('early'));
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const early = await ask(agent);
  await once(early, 'end');
  const [idle] = await vi.waitFor(() => {
    const [kept] = Object.values(agent.freeSockets);
    expect(kept).toHaveLength(1);
    return kept!;
  }, PATIENCE_MS);
  server.serve((_request, response) => resolve(response));
  // On a connection of its own.
  const underWay = ask();
  const response = await arrived;
  server.serve((_request, answer) => answer.end('late'));
  // The time for which idle connections are kept does not run out while this test takes its own.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  onTestFinished(() => clock.mockRestore());
  const stopped = server.stop(600_000);
  await vi.waitFor(() => expect(ask()).rejects.toThrow(/ECONNREFUSED/), PATIENCE_MS);
  // Longer than a sweep of idle connections takes to come.
  await delay(300);
  const late = await ask(agent);
  expect([late.statusCode, late.headers.connection, late.socket === idle]).toEqual([200, 'close', true]);
  response.end('done');
  const done = await underWay;
  expect([done.statusCode, done.headers.connection]).toEqual([200, 'close']);
  await stopped;
  agent.destroy();
});

test('connections that the system holds ready when the listener closes are answered', async () => {
  server.serve((_request, response) => response.end('hello'));
  const stopped = server.stop(10_000);
  const answers = Promise.all(Array.from({ length: 30 }, () => ask()));
  // They connect in the next tick; nobody accepts them before the listener is to close.
  await new Promise((resolve) => process.nextTick(resolve));
  const until = performance.now() + 150;
  while (performance.now() < until);
  expect((await answers).map((answer) => answer.statusCode)).toEqual(Array(30).fill(200));
  await stopped;
});

test.each([
  [
    'two lengths',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    400,
    'invalid_request',
  ],
  ['a head that is too large', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, 'headers_too_large'],
])('what Node’s parser refuses gets a problem document like any other: %s', async (_, sent, status, code) => {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  socket.write(sent);
  await once(socket, 'close');
  const [head, body] = text.split('\r\n\r\n') as [string, string];
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(head.toLowerCase()).toContain('content-type: application/problem+json');
  expect(JSON.parse(body)).toMatchObject({ status, code, request_id: expect.stringMatching(/^req_/) });
});

test('nothing is written into an answer that is under way when what comes after its request is refused', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((_request, response) => {
    response.write('begun');
    resolve(response);
  });
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await arrived;
  await vi.waitFor(() => expect(text).toContain('begun'), PATIENCE_MS);
  socket.write('no request\r\n\r\n');
  await once(socket, 'close');
  expect(text).not.toContain('problem');
});

/** Has Node's times for heads and bodies run out. */
async function runOutOfTime(socket: Socket): Promise<void> {
  const { server: inner } = socket as unknown as { server: Server };
  const { headersTimeout, requestTimeout } = inner;
  Object.assign(inner, { headersTimeout: 1, requestTimeout: 1 });
  const [error] = await once(inner, 'clientError');
  expect(error.code).toBe('ERR_HTTP_REQUEST_TIMEOUT');
  Object.assign(inner, { headersTimeout, requestTimeout });
}

const LATE_HEAD = requests(1, 4);
test('a client whose requests wait has them all answered, though the head of the last was half read when its time ran out', async () => {
  const last = LATE_HEAD;
  const waiting: ServerResponse[] = [];
  server.serve((request, response) => {
    request.on('end', () => waiting.push(response)).resume();
  });
  const client = connect(port, '127.0.0.1').on('error', () => {});
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  client.write(requests(3) + last.slice(0, -10));
  await vi.waitFor(() => expect(waiting).toHaveLength(1), PATIENCE_MS);
  client.write(last.slice(-10));
  await runOutOfTime(waiting[0]!.req.socket);
  for (let i = 1; i <= 4; i++) {
    await vi.waitFor(() => expect(waiting).toHaveLength(1), PATIENCE_MS);
    const response = waiting.pop()!;
    response.end(`answer ${response.req.url}.`);
  }
  await vi.waitFor(() => expect(text.match(/answer .4\./)).not.toBeNull(), PATIENCE_MS);
  expect(text.match(/answer .\d\./g)).toEqual(['answer /1.', 'answer /2.', 'answer /3.', 'answer /4.']);
  client.destroy();
});

test('a request that was late behind another, and does not come when that is answered, is given up with 408', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((_request, response) => resolve(response));
  const client = connect(port, '127.0.0.1').on('error', () => {});
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  client.write(requests(1) + LATE_HEAD.slice(0, -10));
  const response = await arrived;
  await runOutOfTime(response.req.socket);
  const closed = once(client, 'close');
  response.end('done');
  await once(response, 'close');
  for (let i = 0; i < 30; i++) server.lookAtClients();
  await closed;
  expect(text).toMatch(/^HTTP\/1\.1 200 .*done.*HTTP\/1\.1 408 .*request_timeout/s);
});

test('a body that was late behind another request is waited for when that is answered, and given up with 408 where it does not come', async () => {
  for (const comes of [true, false]) {
    const begun = Promise.withResolvers<void>();
    const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
    server.serve((request, response) => {
      if (request.url === '/1') return resolve(response);
      request.on('end', () => response.end('late')).resume();
      begun.resolve();
    });
    const client = connect(port, '127.0.0.1').on('error', () => {});
    let text = '';
    client.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    client.write(`${requests(1)}POST /2 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na`);
    const response = await arrived;
    await runOutOfTime(response.req.socket);
    response.end('done');
    await begun.promise;
    if (comes) client.write('b');
    else for (let i = 0; i < 31; i++) server.lookAtClients();
    await vi.waitFor(() => expect(text).toMatch(comes ? /done.*late/s : /done.*HTTP\/1\.1 408 /s), PATIENCE_MS);
    client.destroy();
  }
});

test('a connection on which nothing ever came is closed without an answer, and not as soon as a head that is late', async () => {
  let socket: Socket | null = null;
  server.serve((request, response) => {
    socket = request.socket;
    response.end();
  });
  await ask();
  const silent = connect(port, '127.0.0.1');
  let text = '';
  silent.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  await once(silent, 'connect');
  await runOutOfTime(socket!);
  silent.write(requests(1));
  await vi.waitFor(() => expect(text).toContain('HTTP/1.1 200'), PATIENCE_MS);
  silent.destroy();
  const other = connect(port, '127.0.0.1');
  let answer = '';
  other.setEncoding('utf8').on('data', (data: string) => {
    answer += data;
  });
  await once(other, 'connect');
  await vi.waitFor(() => expect(server.connections.open).toBe(1), PATIENCE_MS);
  const closed = once(other, 'close');
  for (let i = 0; i <= 10; i++) server.lookAtClients();
  await closed;
  expect(answer).toBe('');
});
