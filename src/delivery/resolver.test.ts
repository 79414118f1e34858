import { expect, test } from 'vitest';
import { fakeDns, fakeResolver } from './fixtures/delivery-rig.ts';
import { createResolver, type DnsBackend, type DnsRecord } from './resolver.ts';

const noHosts = { addressesOf: async () => [] };

/** A backend whose answers the test gives by hand. */
function manualDns() {
  const waiting: { name: string; family: 4 | 6; answer: (records: DnsRecord[], code?: string) => void }[] = [];
  const backend: DnsBackend = {
    query(name, family, callback) {
      waiting.push({
        name,
        family,
        answer: (records, code) => callback(code ? Object.assign(new Error(), { code }) : null, records),
      });
    },
    close() {},
  };
  return { backend, waiting };
}

const turn = () => new Promise<void>((settle) => setImmediate(settle));

test('a name resolves to all its addresses, v4 first', async () => {
  const resolver = fakeResolver({ 'a.test': ['2001:db8::1', '1.1.1.1', '127.0.0.1'] });
  expect(await resolver.resolve('a.test')).toEqual({ ok: true, addresses: ['1.1.1.1', '127.0.0.1', '2001:db8::1'] });
});

test('one family alone is enough', async () => {
  const resolver = fakeResolver({ 'v4.test': ['1.1.1.1'], 'v6.test': ['::1'] });
  expect(await resolver.resolve('v4.test')).toEqual({ ok: true, addresses: ['1.1.1.1'] });
  expect(await resolver.resolve('v6.test')).toEqual({ ok: true, addresses: ['::1'] });
});

test('each way to fail has its own code', async () => {
  const resolver = fakeResolver({ 'fail.test': 'ESERVFAIL', 'empty.test': [], 'hang.test': 'hang' }, [], 20);
  expect(await resolver.resolve('absent.test')).toMatchObject({ ok: false, code: 'ENOTFOUND' });
  expect(await resolver.resolve('fail.test')).toMatchObject({ ok: false, code: 'ESERVFAIL' });
  expect(await resolver.resolve('empty.test')).toMatchObject({ ok: false, code: 'ENODATA' });
  expect(await resolver.resolve('hang.test')).toMatchObject({ ok: false, code: 'ETIMEOUT' });
});

test('a name that hangs holds up no other', async () => {
  const resolver = fakeResolver({ 'hang.test': 'hang', 'a.test': ['1.1.1.1'] }, [], 60_000);
  for (let i = 0; i < 100; i++) void resolver.resolve(`${i}.hang.test`).then(() => {});
  void resolver.resolve('hang.test');
  expect(await resolver.resolve('a.test')).toMatchObject({ ok: true });
});

test('look-ups of one name at the same time share one query', async () => {
  const asked: string[] = [];
  const resolver = fakeResolver({ 'a.test': ['1.1.1.1'] }, asked);
  await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('A.test.')));
  expect(asked).toEqual(['a.test', 'a.test']);
});

test('an answer is kept for its TTL, at least 1 s and at most 60 s; an absence for 5 s', async () => {
  let now = 0;
  const asked: string[] = [];
  const ttls: Record<string, number> = { 'zero.test': 0, 'ten.test': 10, 'day.test': 86_400 };
  const backend: DnsBackend = {
    query(name, family, callback) {
      asked.push(name);
      const ttl = ttls[name];
      if (ttl === undefined) callback(Object.assign(new Error(), { code: 'ENOTFOUND' }), []);
      else callback(null, family === 4 ? [{ address: '1.1.1.1', ttl }] : []);
    },
    close() {},
  };
  const resolver = createResolver({ backend, hosts: noHosts, now: () => now });
  for (const [name, lifeMs] of [
    ['zero.test', 1_000],
    ['ten.test', 10_000],
    ['day.test', 60_000],
    ['absent.test', 5_000],
  ] as const) {
    now += 1_000_000;
    const start = now;
    asked.length = 0;
    await resolver.resolve(name);
    now = start + lifeMs - 1;
    await resolver.resolve(name);
    expect(asked, name).toHaveLength(2);
    now = start + lifeMs;
    await resolver.resolve(name);
    expect(asked, name).toHaveLength(4);
  }
});

test('the cache is bounded', async () => {
  const asked: string[] = [];
  const zone = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}.test`, ['1.1.1.1']]));
  const resolver = createResolver({ backend: fakeDns(zone, asked), hosts: noHosts, maxCachedNames: 10, now: () => 0 });
  for (let i = 0; i < 20; i++) await resolver.resolve(`${i}.test`);
  asked.length = 0;
  for (const name of ['19.test', '10.test', '9.test']) await resolver.resolve(name);
  expect(asked).toEqual(['9.test', '9.test']);
});

test('of a thousand addresses the first 32 are used', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => `1.1.${i >> 8}.${i & 255}`);
  const resolution = await fakeResolver({ 'many.test': many }).resolve('many.test');
  expect(resolution).toEqual({ ok: true, addresses: many.slice(0, 32) });
});

test('a family that never answers holds the other up for a second at most', async () => {
  const { backend, waiting } = manualDns();
  const resolver = createResolver({ backend, hosts: noHosts, timeoutMs: 60_000 });
  const resolving = resolver.resolve('a.test');
  await turn();
  waiting[0]!.answer([{ address: '1.1.1.1', ttl: 1 }]);
  expect(await resolving).toEqual({ ok: true, addresses: ['1.1.1.1'] });
});

test('a family that answers a little later still counts, so that its denied address blocks', async () => {
  const { backend, waiting } = manualDns();
  const resolver = createResolver({ backend, hosts: noHosts });
  const resolving = resolver.resolve('a.test');
  await turn();
  waiting[0]!.answer([{ address: '1.1.1.1', ttl: 1 }]);
  await turn();
  waiting[1]!.answer([{ address: '::1', ttl: 1 }]);
  expect(await resolving).toEqual({ ok: true, addresses: ['1.1.1.1', '::1'] });
});

test('names of the hosts file are not asked of name servers', async () => {
  const asked: string[] = [];
  const hosts = { addressesOf: async (name: string) => (name === 'db' ? ['10.0.0.1'] : []) };
  const resolver = createResolver({ backend: fakeDns({}, asked), hosts });
  expect(await resolver.resolve('DB')).toEqual({ ok: true, addresses: ['10.0.0.1'] });
  expect(asked).toEqual([]);
});

test('localhost and names under it are loopback, whatever name servers say', async () => {
  const resolver = fakeResolver({ localhost: ['1.1.1.1'], 'a.localhost': ['1.1.1.1'] });
  for (const name of ['localhost', 'localhost.', 'A.localhost']) {
    expect(await resolver.resolve(name)).toEqual({ ok: true, addresses: ['127.0.0.1', '::1'] });
  }
});
