import { createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { deliveryRig, listen, ok, rawReceiver } from './fixtures/delivery-rig.ts';
import type { Resolver } from './resolver.ts';

/** Longer than any test: what ends sooner was ended. */
const LONG_MS = 3_600_000;

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((settle) => setImmediate(settle));
};

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Takes connections and says nothing, so that no TLS handshake comes to its end. */
async function mute() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}).resume());
  });
  const port = await listen(server);
  return {
    url: `https://127.0.0.1:${port}/hook`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((settle) => server.close(settle));
    },
  };
}

/** Names of receivers are looked up for ever; how often it was asked. */
function endlessResolver(): Resolver & { asked: number } {
  return {
    asked: 0,
    resolve() {
      this.asked++;
      return new Promise(() => {});
    },
    close() {},
  };
}

/** Finds this name for the first who asks for it, when told to, and nothing else. */
function lateResolver(late: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const resolver: Resolver = {
    resolve: async (name) => {
      await (name === late && asked++ === 0 ? promise : new Promise(() => {}));
      return { ok: true, addresses: ['127.0.0.1'] };
    },
    close() {},
  };
  return { resolver, find: resolve };
}

test('a connection that takes longer than its request has is made all the same, and the next goes out on it', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const { resolver, find } = lateResolver('late.test');
  await using rig = deliveryRig({ connectTimeoutMs: LONG_MS, resolver });
  const url = `http://late.test:${receiver.port}/`;
  expect(await rig.deliver(url, { timeoutMs: 50 })).toMatchObject({ reason: 'timeout' });
  find();
  await until(() => receiver.connections.length === 1);
  // No other is ever made: until that one stands at this end too, nothing comes of them.
  while ((await rig.deliver(url, { timeoutMs: 200 })).kind !== 'delivered');
  expect([receiver.requests.length, receiver.connections.length]).toEqual([1, 1]);
});

test('a request that finds every connection in the making for requests that are over gets the place of one', async () => {
  const resolver = endlessResolver();
  await using rig = deliveryRig({ connectionsPerOrigin: 3, connectTimeoutMs: LONG_MS, resolver });
  await Promise.all([1, 2].map(() => rig.deliver('http://dead.test/', { timeoutMs: 50 })));
  void rig.deliver('http://dead.test/', { timeoutMs: LONG_MS });
  expect(resolver.asked).toBe(3);
  for (let asked = 4; asked <= 5; asked++) {
    void rig.deliver('http://dead.test/', { timeoutMs: LONG_MS });
    await until(() => resolver.asked === asked);
  }
});

test('a request that waits for a connection gets the place of one in the making whose request ends', async () => {
  const resolver = endlessResolver();
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS, resolver });
  const first = rig.deliver('http://dead.test/', { timeoutMs: 50 });
  void rig.deliver('http://dead.test/', { timeoutMs: LONG_MS });
  await first;
  await until(() => resolver.asked === 2);
});

test('a connection in the making ends when the next request needs its place, and that gets one of its own', async () => {
  await using receiver = await mute();
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS });
  for (let i = 0; i < 3; i++) {
    const outcome = await rig.deliver(receiver.url, { timeoutMs: 500 });
    expect(outcome).toMatchObject({ reason: 'timeout', detail: 'no connection within 0.5 s' });
  }
  await until(() => receiver.sockets.slice(0, 2).every((socket) => socket.closed));
  expect(receiver.sockets).toHaveLength(3);
});

test('a request that is given up takes the connection that is made for it along', async () => {
  await using receiver = await mute();
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS });
  const given = rig.sender.send(rig.request(receiver.url, { timeoutMs: LONG_MS }), () => expect.unreachable());
  await until(() => receiver.sockets.length === 1);
  given.abandon();
  await until(() => receiver.sockets[0]!.closed);
});

test('nobody connects for requests whose time ran out while they waited for a connection', async () => {
  const resolver = endlessResolver();
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS, resolver });
  const outcomes = Array.from({ length: 30 }, () => rig.deliver('http://dead.test/', { timeoutMs: 50 }));
  expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(Array(30).fill('unreachable'));
  // Deadlines are looked at in ticks: when the thirty straddle one, those of the second tick may still be worth a connection.
  const asked = resolver.asked;
  expect(asked).toBeLessThanOrEqual(2);
  void rig.deliver('http://dead.test/');
  await until(() => resolver.asked === asked + 1);
});

test('what comes after many whose time ran out is sent at once', async () => {
  const answers: (() => void)[] = [];
  await using receiver = await rawReceiver((socket) => answers.push(() => socket.write(ok())));
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS });
  const first = rig.deliver(receiver.url);
  await until(() => answers.length === 1);
  await Promise.all(Array.from({ length: 20 }, () => rig.deliver(receiver.url, { timeoutMs: 50 })));
  const last = rig.deliver(receiver.url);
  answers[0]!();
  await until(() => answers.length === 2);
  answers[1]!();
  expect((await Promise.all([first, last])).map(({ kind }) => kind)).toEqual(['delivered', 'delivered']);
  expect([receiver.requests.length, receiver.connections.length]).toEqual([2, 1]);
});

test('the bodies of requests whose time ran out are let go of while others keep all connections', async () => {
  await using receiver = await rawReceiver(() => {});
  await using rig = deliveryRig({ connectionsPerOrigin: 1, connectTimeoutMs: LONG_MS });
  void rig.deliver(receiver.url, { timeoutMs: LONG_MS });
  await until(() => receiver.requests.length === 1);
  let freed = 0;
  const registry = new FinalizationRegistry(() => freed++);
  const send = () => {
    const body = Buffer.from('{}');
    registry.register(body, null);
    return rig.deliver(receiver.url, { body, timeoutMs: 50 });
  };
  const outcomes: Outcome[] = await Promise.all(Array.from({ length: 10 }, send));
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(10).fill('unreachable'));
  await until(() => {
    collectGarbage();
    return freed === 10;
  });
});

test.each([
  ['two of one receiver', 8, 2, () => 'http://dead.test/'],
  ['half of 4 MiB of one tenant', 8, 1024 * 1024, (i: number) => `http://dead${i}.test/`],
])(
  'of the connections in the making for requests that are over no more go on than %s: undici holds the body of each',
  async (_what, expected, bytes, urlOf) => {
    const resolver = endlessResolver();
    await using rig = deliveryRig({ connectTimeoutMs: LONG_MS, resolver });
    let freed = 0;
    const registry = new FinalizationRegistry(() => freed++);
    const send = (i: number) => {
      const body = Buffer.alloc(bytes, 'x');
      registry.register(body, null);
      return rig.deliver(urlOf(i), { body, timeoutMs: 50 });
    };
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => send(i)));
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(10).fill('unreachable'));
    await until(() => {
      collectGarbage();
      return freed >= expected;
    });
    await until(() => resolver.asked === 10);
    collectGarbage();
    expect(freed).toBe(expected);
  },
);

test.each([
  ['of their number', 300, 2],
  ['of their memory', 16, 256 * 1024],
])(
  'of the connections that go on so one tenant, however many it has, leaves others some, as to the bound %s',
  async (_what, count, bytes) => {
    await using receiver = await rawReceiver((socket) => socket.write(ok()));
    const { resolver, find } = lateResolver('late.test');
    await using rig = deliveryRig({ connectTimeoutMs: LONG_MS, resolver });
    const request = { body: Buffer.alloc(bytes, '{}'), timeoutMs: 50 };
    await Promise.all(Array.from({ length: count }, (_, i) => rig.deliver(`http://dead${i}.test/`, request)));
    const outcome = await rig.deliver(`http://late.test:${receiver.port}/`, { ...request, tenantNum: 2 });
    expect(outcome).toMatchObject({ reason: 'timeout' });
    find();
    await until(() => receiver.connections.length === 1);
  },
);
