import { expect, test } from 'vitest';
import { OwnSockets } from './own-sockets.ts';

const listener = { address: '127.0.0.1', port: 8080 };
const unstopped = new AbortController().signal;
const none = { postgres: 'postgres://127.0.0.2/db', redis: undefined, proxy: undefined };

test('the listener, and every host of the services that we use, are our own', async () => {
  const own = new OwnSockets(listener, {
    postgres: 'postgres://user:p%40ss@127.0.0.2:6000,127.0.0.3/db?x=1',
    redis: 'redis://[::1]',
    proxy: 'http://127.0.0.4',
  });
  expect(await own.look(unstopped)).toEqual([
    '127.0.0.1:8080',
    '127.0.0.2:6000',
    '127.0.0.3:5432',
    '[::1]:6379',
    '127.0.0.4:80',
  ]);
});

test('listening everywhere makes every address of the machine our own', async () => {
  const sockets = await new OwnSockets({ address: '0.0.0.0', port: 8080 }, none).look(unstopped);
  expect(sockets).toContain('0.0.0.0:8080');
  expect(sockets).toContain('127.0.0.1:8080');
});

test('Postgres is where pg connects to, also by parameters of its URL', async () => {
  for (const postgres of [
    'postgres://127.0.0.2/db?host=127.0.0.9&port=6001',
    'postgres:///db?host=127.0.0.9&port=6001',
  ])
    expect(await new OwnSockets(listener, { ...none, postgres }).look(unstopped)).toContain('127.0.0.9:6001');
  const socket = await new OwnSockets(listener, { ...none, postgres: 'postgres:///db?host=/run/postgresql' }).look(
    unstopped,
  );
  expect(socket).toEqual(['127.0.0.1:8080']);
});

test('Sentinels and nodes of a Cluster that name no port have their own', async () => {
  const redis = 'redis+sentinel://:pass@127.0.0.5,127.0.0.6:1000/main';
  const sentinels = await new OwnSockets(listener, { ...none, redis }).look(unstopped);
  expect(sentinels).toEqual(expect.arrayContaining(['127.0.0.5:26379', '127.0.0.6:1000']));
  const nodes = await new OwnSockets(listener, { ...none, redis: 'redis+cluster://127.0.0.5,[::1]' }).look(unstopped);
  expect(nodes).toEqual(expect.arrayContaining(['127.0.0.5:6379', '[::1]:6379']));
});

test('a name that resolves only later, or to another address, is looked at again; what was ours stays so, of many the latest', async () => {
  let addresses: string[] = [];
  const own = new OwnSockets(listener, { ...none, postgres: 'postgres://database/db' }, async () => addresses);
  expect(await own.look(unstopped)).toEqual(['127.0.0.1:8080']);
  addresses = ['10.0.0.1'];
  expect(await own.look(unstopped)).toEqual(['127.0.0.1:8080', '10.0.0.1:5432']);
  addresses = ['10.0.0.2'];
  expect(await own.look(unstopped)).toEqual(
    expect.arrayContaining(['127.0.0.1:8080', '10.0.0.1:5432', '10.0.0.2:5432']),
  );
  for (let n = 0; n < 500; n++) {
    addresses = [`10.1.${n >> 8}.${n & 255}`];
    await own.look(unstopped);
  }
  const known = await own.look(unstopped);
  expect(known).toHaveLength(256);
  expect(known).toEqual(expect.arrayContaining(['127.0.0.1:8080', '10.1.1.243:5432', '10.1.1.0:5432']));
});

/** Names that do not resolve before they are let. */
function slowNames() {
  const asked: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<readonly string[]>>();
  const resolve = (host: string) => {
    asked.push(host);
    const answer = Promise.withResolvers<readonly string[]>();
    answers.set(host, answer);
    return answer.promise;
  };
  return { asked, resolve, answer: (host: string, address: string) => answers.get(host)?.resolve([address]) };
}

const turn = () => new Promise(setImmediate);

test('as many names are looked up at once as is said, each once, however many of its ports are ours', async () => {
  const { asked, resolve, answer } = slowNames();
  const services = { postgres: 'postgres://a,b,c:1,c:2/db', redis: 'redis://a', proxy: undefined };
  const looking = new OwnSockets(listener, services, resolve).look(unstopped, 2);
  await turn();
  expect(asked).toEqual(['a', 'b']);
  answer('b', '10.0.0.2');
  await turn();
  expect(asked).toEqual(['a', 'b', 'c']);
  answer('a', '10.0.0.1');
  answer('c', '10.0.0.3');
  const found = ['10.0.0.1:5432', '10.0.0.2:5432', '10.0.0.3:1', '10.0.0.3:2', '10.0.0.1:6379'];
  expect((await looking).sort()).toEqual(['127.0.0.1:8080', ...found].sort());
  expect(asked).toEqual(['a', 'b', 'c']);
});

test('a look that is told to stop waits for no name, begins none, and forgets nothing', async () => {
  const { asked, resolve, answer } = slowNames();
  const own = new OwnSockets(listener, { ...none, postgres: 'postgres://a/db', redis: 'redis://b' }, resolve);
  const first = own.look(unstopped, 2);
  await turn();
  answer('a', '10.0.0.1');
  answer('b', '10.0.0.2');
  const known = await first;
  const stop = new AbortController();
  const second = own.look(stop.signal);
  await turn();
  stop.abort();
  expect((await second).sort()).toEqual(known.sort());
  answer('a', '10.0.0.9');
  await turn();
  expect(asked).toEqual(['a', 'b', 'a']);
  expect((await own.look(stop.signal)).sort()).toEqual(known);
  expect(asked).toEqual(['a', 'b', 'a']);
});
