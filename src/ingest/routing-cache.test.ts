import { expect, test, vi } from 'vitest';
import type { Subscription } from '../routing/subscription-clauses.ts';
import type { Matcher } from './match.ts';
import { UNMETERED } from './match-meter.ts';
import { type LoadedRouting, RoutingCache, type RoutingCapacity } from './routing-cache.ts';

function cacheOf(load: (num: number) => LoadedRouting | null, capacity?: RoutingCapacity) {
  const loads: number[] = [];
  const cache = new RoutingCache(
    async (num) => {
      loads.push(num);
      return load(num);
    },
    4,
    capacity,
  );
  return { cache, loads };
}

const routingOf = (num: number): LoadedRouting => ({
  version: BigInt(num),
  endpoints: [endpointOf(num * 10, [{ types: ['a.*'] }])],
});

function endpointOf(num: number, subscriptions: readonly Subscription[]) {
  return { num, subscriptions: JSON.stringify(subscriptions) };
}

const match = (matcher: Matcher, tenantNum: number, type: string, data: unknown = {}) =>
  matcher.match(tenantNum, { type, content: () => ({ type, data }) })!;

test('a tenant is loaded once, however often its events come, and anew when it was forgotten', async () => {
  const { cache, loads } = cacheOf(routingOf);
  expect((await cache.prepare([1, 1, 2])).gone).toEqual(new Set());
  await cache.prepare([2, 1]);
  expect(loads).toEqual([1, 2]);
  cache.forget([1]);
  await cache.prepare([1, 2]);
  expect(loads).toEqual([1, 2, 1]);
});

test('a match says the endpoints, and the version of the routing that it was made with', async () => {
  const { cache } = cacheOf(routingOf);
  const { matcher } = await cache.prepare([3]);
  expect(match(matcher, 3, 'a.b')).toEqual({ version: 3n, endpoints: [30] });
  expect(match(matcher, 3, 'a.b').endpoints).toBe(match(matcher, 3, 'a.b').endpoints);
  expect(match(matcher, 3, 'b')).toEqual({ version: 3n, endpoints: [] });
});

test('tenants that are gone are named, and not looked up again: they never come back', async () => {
  const { cache, loads } = cacheOf((num) => (num === 2 ? null : routingOf(num)));
  expect((await cache.prepare([1, 2])).gone).toEqual(new Set([2]));
  expect((await cache.prepare([2])).gone).toEqual(new Set([2]));
  expect(cache.atHand([1, 2], UNMETERED)).toMatchObject({ gone: new Set([2]), missing: new Set() });
  expect(loads).toEqual([1, 2]);
});

test('past its capacity the cache drops what was used least lately, but only when told that it may', async () => {
  const { cache, loads } = cacheOf(routingOf);
  const all = Array.from({ length: 10_001 }, (_, i) => i);
  await cache.prepare(all);
  const { matcher } = await cache.prepare([0]);
  expect(match(matcher, 0, 'a').version).toBe(0n);
  cache.trim();
  await cache.prepare([0, 2]);
  expect(loads).toHaveLength(10_001);
  await cache.prepare([1]);
  expect(loads.at(-1)).toBe(1);
  expect(loads).toHaveLength(10_002);
});

test('to match a tenant that was not prepared is a bug, not an event without deliveries', async () => {
  const { matcher } = await cacheOf(routingOf).cache.prepare([2]);
  expect(() => match(matcher, 1, 'a')).toThrow(/before its routing/);
});

test('what is forgotten or dropped while another tenant is still being read does not pull away what was prepared', async () => {
  let arrive: (routing: LoadedRouting) => void = () => {};
  const load = (num: number) =>
    num === 2 ? new Promise<LoadedRouting>((resolve) => (arrive = resolve)) : Promise.resolve(routingOf(num));
  const cache = new RoutingCache(load, 4);
  await cache.prepare([1]);
  const preparing = cache.prepare([1, 2]);
  cache.forget([1]);
  cache.trim();
  arrive(routingOf(2));
  const { matcher } = await preparing;
  expect([1, 2].map((num) => match(matcher, num, 'a.b').endpoints)).toEqual([[10], [20]]);
});

test('past its capacity of clauses the cache drops tenants too, but never the last one', async () => {
  const large = (num: number): LoadedRouting => ({
    version: 1n,
    endpoints: Array.from({ length: 10 }, (_, i) => endpointOf(num * 100 + i, [{ types: [`t.${i}`] }])),
  });
  const { cache, loads } = cacheOf(large, { tenants: 100, clauses: 25 });
  await cache.prepare([1, 2, 3]);
  cache.trim();
  await cache.prepare([2, 3]);
  expect(loads).toEqual([1, 2, 3]);
  await cache.prepare([1]);
  expect(loads).toEqual([1, 2, 3, 1]);
  const { cache: small, loads: smallLoads } = cacheOf(large, { tenants: 100, clauses: 5 });
  await small.prepare([1]);
  small.trim();
  await small.prepare([1]);
  expect(smallLoads).toEqual([1]);
});

test('filters of long texts and of many names take the room of many clauses', async () => {
  const long = [JSON.stringify({ a: ['x'.repeat(15_000)] })];
  const broad = [JSON.stringify(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`name${i}`, [i]])))];
  for (const filters of [long, broad]) {
    const { cache, loads } = cacheOf(
      (num) => ({ version: 1n, endpoints: filters.map((filter) => endpointOf(num, [{ filter }])) }),
      { tenants: 100, clauses: 25 },
    );
    await cache.prepare([1, 2, 3, 4]);
    cache.trim();
    await cache.prepare([4]);
    await cache.prepare([1]);
    expect(loads).toEqual([1, 2, 3, 4, 1]);
  }
});

test('a tenant that changed is matched by what it changed to: endpoints that came, went and asked for something else', async () => {
  const filter = JSON.stringify({ data: { amount: [{ numeric: ['>', 10] }] } });
  const versions: LoadedRouting['endpoints'][] = [
    [endpointOf(1, [{ types: ['a'] }]), endpointOf(2, [{ filter }]), endpointOf(3, [])],
    [endpointOf(1, [{ types: ['b'] }]), endpointOf(3, []), endpointOf(4, [{ filter }])],
    [endpointOf(4, [])],
  ];
  let version = 0;
  const { cache } = cacheOf(() => ({ version: BigInt(version), endpoints: versions[version]! }));
  const found = async (type: string, amount: number) => {
    const { matcher } = await cache.prepare([1]);
    const { version: matched, endpoints } = match(matcher, 1, type, { amount });
    expect(matched).toBe(BigInt(version));
    return endpoints;
  };
  expect([await found('a', 11), await found('b', 1)]).toEqual([[1, 2, 3], [3]]);
  version = 1;
  cache.forget([1]);
  expect([await found('a', 11), await found('b', 1)]).toEqual([
    [3, 4],
    [1, 3],
  ]);
  version = 2;
  cache.forget([1]);
  expect([await found('a', 1), await found('b', 1)]).toEqual([[4], [4]]);
});

test('those who ask while a load is under way share it; after a change was seen they wait for one that began later', async () => {
  const arrive: ((routing: LoadedRouting) => void)[] = [];
  const cache = new RoutingCache(() => new Promise((resolve) => arrive.push(resolve)), 4);
  const loadNumber = (count: number) => vi.waitFor(() => expect(arrive).toHaveLength(count), 30_000);
  const routing = (version: bigint, type: string) => ({ version, endpoints: [endpointOf(1, [{ types: [type] }])] });
  const early = [cache.prepare([1]), cache.prepare([1])];
  await loadNumber(1);
  cache.forget([1]);
  const late = cache.prepare([1]);
  arrive[0]!(routing(1n, 'old'));
  for (const { matcher } of await Promise.all(early)) expect(match(matcher, 1, 'old').version).toBe(1n);
  await loadNumber(2);
  arrive[1]!(routing(2n, 'new'));
  expect(match((await late).matcher, 1, 'new')).toEqual({ version: 2n, endpoints: [1] });
  expect(match((await cache.prepare([1])).matcher, 1, 'new').version).toBe(2n);
  expect(arrive).toHaveLength(2);
});

test('a load that fails is tried anew by the next who asks', async () => {
  let isDown = true;
  const { cache, loads } = cacheOf((num) => {
    if (isDown) throw new Error('Postgres is away.');
    return routingOf(num);
  });
  await expect(cache.prepare([1])).rejects.toThrow('away');
  isDown = false;
  expect(match((await cache.prepare([1])).matcher, 1, 'a.b').endpoints).toEqual([10]);
  expect(loads).toEqual([1, 1]);
});

test('a large tenant is compiled, and emptied, in slices, between which others have their turn', async () => {
  const endpoints = Array.from({ length: 20_000 }, (_, num) =>
    endpointOf(num, [
      { filter: JSON.stringify({ data: { customer: [`c${num}`], amount: [{ numeric: ['>', num] }] } }) },
    ]),
  );
  let isEmptied = false;
  const { cache } = cacheOf(() => ({ version: 1n, endpoints: isEmptied ? [] : endpoints }));
  let turns = 0;
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
  };
  const watching = watch();
  const { matcher } = await cache.prepare([1]);
  expect(turns).toBeGreaterThan(3);
  expect(match(matcher, 1, 'a', { customer: 'c7', amount: 8 }).endpoints).toEqual([7]);
  const before = turns;
  isEmptied = true;
  cache.forget([1]);
  await cache.prepare([1]);
  expect(turns - before).toBeGreaterThan(3);
  isOver = true;
  await watching;
});

test('who finds an old version stale does not throw away a newer one that another has loaded meanwhile', async () => {
  let version = 1n;
  const { cache, loads } = cacheOf((num) => ({ ...routingOf(num), version }));
  await cache.prepare([1]);
  version = 2n;
  cache.forget([1], new Map([[1, 1n]]));
  await cache.prepare([1]);
  cache.forget([1], new Map([[1, 1n]]));
  expect(match((await cache.prepare([1])).matcher, 1, 'a.b').version).toBe(2n);
  expect(loads).toEqual([1, 1]);
});
