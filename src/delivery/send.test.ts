import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { deliveryRig, listen, ok, rawReceiver } from './fixtures/delivery-rig.ts';

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((settle) => setImmediate(settle));
};

test('a 2xx is delivered, with status, headers, body and timing', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok('thanks', 'X-Trace: a\r\nx-trace: b\r\n')));
  await using rig = deliveryRig({ zone: { 'receiver.test': ['127.0.0.1'] } });
  expect(await rig.deliver(`http://receiver.test:${receiver.port}/hook?a=b`)).toEqual({
    kind: 'delivered',
    response: {
      status: 200,
      headers: { 'x-trace': 'a, b', 'content-length': '6' },
      body: Buffer.from('thanks'),
      truncated: false,
    },
    timing: {
      dnsMs: expect.any(Number),
      connectMs: expect.any(Number),
      firstByteMs: expect.any(Number),
      totalMs: expect.any(Number),
    },
  });
});

test('what goes onto the wire is the prepared request and nothing beyond framing', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig();
  await rig.deliver(`${receiver.url}?a=b`);
  expect(receiver.requests).toEqual([
    [
      'POST /hook?a=b HTTP/1.1',
      `host: 127.0.0.1:${receiver.port}`,
      'connection: keep-alive',
      'content-type: application/json',
      'webhook-id: evt_1',
      'content-length: 14',
      '',
      '{"id":"evt_1"}',
    ].join('\r\n'),
  ]);
});

test('a connection is reused, and only the request that opened it reports how long that took', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig();
  const first = await rig.deliver(receiver.url);
  // undici gives a connection back one turn of the event loop after its answer.
  await new Promise((settle) => setImmediate(settle));
  const second = await rig.deliver(receiver.url);
  expect(first).toMatchObject({ timing: { dnsMs: null, connectMs: expect.any(Number) } });
  expect(second).toMatchObject({ timing: { dnsMs: null, connectMs: null } });
  expect(receiver.connections).toHaveLength(1);
});

test.each([200, 201, 204, 206, 226, 299])('status %i is delivered', async (status) => {
  await using receiver = await rawReceiver((socket) =>
    socket.write(`HTTP/1.1 ${status} X\r\n${status === 204 ? '' : 'content-length: 0\r\n'}\r\n`),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { status } });
});

test.each([300, 304, 400, 401, 404, 410, 429, 500, 503, 599, 600, 999])('status %i is rejected', async (status) => {
  await using receiver = await rawReceiver((socket) =>
    socket.write(`HTTP/1.1 ${status} X\r\n${status === 304 ? '' : 'content-length: 0\r\n'}\r\n`),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'rejected', response: { status } });
});

test.each([301, 302, 303, 307, 308])(
  'a redirect with %i is rejected with its Location, and not followed',
  async (status) => {
    await using target = await rawReceiver((socket) => socket.write(ok()));
    const head = `HTTP/1.1 ${status} Moved\r\nlocation: ${target.url}\r\ncontent-length: 0\r\n\r\n`;
    await using receiver = await rawReceiver((socket) => socket.write(head));
    await using rig = deliveryRig();
    expect(await rig.deliver(receiver.url)).toMatchObject({
      kind: 'rejected',
      response: { status, headers: { location: target.url } },
    });
    expect(receiver.requests).toHaveLength(1);
    expect(target.connections).toHaveLength(0);
  },
);

test('at most so many connections are open to one receiver, and every request gets its turn', async () => {
  const waiting: (() => void)[] = [];
  await using receiver = await rawReceiver((socket) => waiting.push(() => socket.write(ok())));
  await using rig = deliveryRig({ connectionsPerOrigin: 2 });
  const outcomes = Array.from({ length: 6 }, () => rig.deliver(receiver.url));
  for (let answered = 0; answered < 6; answered++) {
    await until(() => waiting.length > 0);
    waiting.shift()!();
  }
  expect((await Promise.all(outcomes)).map((outcome) => outcome.kind)).toEqual(Array(6).fill('delivered'));
  expect(receiver.connections).toHaveLength(2);
});

test('a request that waits for a connection past its deadline times out and is never sent', async () => {
  const answers: (() => void)[] = [];
  await using receiver = await rawReceiver((socket) => answers.push(() => socket.write(ok())));
  await using rig = deliveryRig({ connectionsPerOrigin: 1 });
  const first = rig.deliver(receiver.url);
  await until(() => answers.length === 1);
  const second = await rig.deliver(receiver.url, { timeoutMs: 50 });
  expect(second).toMatchObject({
    kind: 'unreachable',
    reason: 'timeout',
    detail: expect.stringContaining('became free'),
  });
  answers[0]!();
  await first;
  const third = rig.deliver(receiver.url);
  await until(() => answers.length === 2);
  answers[1]!();
  expect(await third).toMatchObject({ kind: 'delivered' });
  expect(receiver.requests).toHaveLength(2);
  expect(receiver.connections).toHaveLength(1);
});

test('an idle connection that the receiver has closed costs no failed attempt', async () => {
  await using receiver = await rawReceiver((socket) => socket.end(ok()));
  await using rig = deliveryRig();
  for (let i = 0; i < 20; i++) {
    expect(await rig.deliver(receiver.url), String(i)).toMatchObject({ kind: 'delivered' });
  }
  expect(receiver.requests).toHaveLength(20);
});

test('a request whose connection closes unanswered is reset, and is not repeated', async () => {
  await using receiver = await rawReceiver((socket, count) => (count === 1 ? socket.write(ok()) : socket.destroy()));
  await using rig = deliveryRig();
  await rig.deliver(receiver.url);
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'unreachable', reason: 'reset' });
  expect(receiver.requests).toHaveLength(2);
});

test('abortAll gives up everything under way and reports none of it', async () => {
  await using receiver = await rawReceiver(() => {});
  await using rig = deliveryRig({ connectionsPerOrigin: 2, zone: { 'hang.test': 'hang' } });
  const reported: Outcome[] = [];
  for (let i = 0; i < 4; i++) rig.sender.send(rig.request(receiver.url), (outcome) => reported.push(outcome));
  rig.sender.send(rig.request('http://hang.test/'), (outcome) => reported.push(outcome));
  await until(() => receiver.requests.length === 2);
  expect(rig.sender.inFlight).toBe(5);
  expect(rig.sender.abortAll()).toBe(5);
  expect(rig.sender.inFlight).toBe(0);
  await receiver.allClosed();
  await rig.sender.close();
  expect(reported).toEqual([]);
  expect(receiver.requests).toHaveLength(2);
});

test('a request that is abandoned is hung up on and not reported, and the others go on', async () => {
  let answer = () => {};
  await using receiver = await rawReceiver((socket, count) => {
    if (count === 2) answer = () => socket.write(ok());
  });
  await using rig = deliveryRig();
  const reported: string[] = [];
  const send = (name: string) => rig.sender.send(rig.request(receiver.url), () => reported.push(name));
  const first = send('first');
  await until(() => receiver.requests.length === 1);
  send('second');
  await until(() => receiver.requests.length === 2);
  first.abandon();
  rig.sender.send({ ...rig.request(receiver.url), origin: '' }, () => reported.push('no URL')).abandon();
  answer();
  await until(() => reported.length > 0);
  await until(() => receiver.connections[0]!.closed);
  expect([reported, rig.sender.inFlight]).toEqual([['second'], 0]);
});

test('after abortAll the sender still sends', async () => {
  let answering = false;
  await using receiver = await rawReceiver((socket) => answering && socket.write(ok()));
  await using rig = deliveryRig();
  rig.sender.send(rig.request(receiver.url), () => expect.unreachable());
  await until(() => receiver.requests.length === 1);
  rig.sender.abortAll();
  answering = true;
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered' });
});

test('close leaves no connection open', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const rig = deliveryRig();
  await rig.deliver(receiver.url);
  await rig.sender.close();
  await receiver.allClosed();
  expect(() => rig.sender.send(rig.request(receiver.url), () => {})).toThrow('closed');
});

test('an outcome is never reported before send returns', async () => {
  await using rig = deliveryRig();
  for (const request of [
    rig.request('http://127.0.0.1/', { origin: '' }),
    rig.request('http://127.0.0.1/', { headers: ['bad name', 'x'] }),
  ]) {
    let returned = false;
    const reported = new Promise<Outcome>((settle) => {
      rig.sender.send(request, (outcome) => {
        expect(returned).toBe(true);
        settle(outcome);
      });
      returned = true;
    });
    expect(await reported).toMatchObject({ kind: expect.stringMatching(/blocked|unreachable/) });
  }
});

test('over the limit of receivers the connections of an idle one are closed', async () => {
  await using first = await rawReceiver((socket) => socket.write(ok()));
  await using second = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ maxOrigins: 1 });
  await rig.deliver(first.url);
  expect(await rig.deliver(second.url)).toMatchObject({ kind: 'delivered' });
  await first.allClosed();
  expect(await rig.deliver(first.url)).toMatchObject({ kind: 'delivered' });
});

test('a receiver that is busy is not closed for another', async () => {
  const answers: (() => void)[] = [];
  await using first = await rawReceiver((socket) => answers.push(() => socket.write(ok())));
  await using second = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ maxOrigins: 1 });
  const slow = rig.deliver(first.url);
  await until(() => answers.length === 1);
  expect(await rig.deliver(second.url)).toMatchObject({ kind: 'delivered' });
  answers[0]!();
  expect(await slow).toMatchObject({ kind: 'delivered' });
});

test('a thousand deliveries at once to a plain node server all arrive, once each', async () => {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => {
      body += data;
    });
    request.on('end', () => {
      seen.set(body, (seen.get(body) ?? 0) + 1);
      response.end('ok');
    });
  });
  const port = await listen(server);
  await using rig = deliveryRig({ connectionsPerOrigin: 16 });
  const outcomes = await Promise.all(
    Array.from({ length: 1000 }, (_, i) =>
      rig.deliver(`http://127.0.0.1:${port}/`, { body: Buffer.from(`{"n":${i}}`), timeoutMs: 30_000 }),
    ),
  );
  expect(new Set(outcomes.map((outcome) => outcome.kind))).toEqual(new Set(['delivered']));
  expect(seen.size).toBe(1000);
  expect([...seen.values()].every((count) => count === 1)).toBe(true);
  server.close();
});
