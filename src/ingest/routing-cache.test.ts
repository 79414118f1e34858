import { expect, test } from 'vitest';
import { type LoadedRouting, RoutingCache } from './routing-cache.ts';

function cacheOf(load: (num: number) => LoadedRouting | null) {
  const loads: number[] = [];
  const cache = new RoutingCache(async (num) => {
    loads.push(num);
    return load(num);
  }, 4);
  return { cache, loads };
}

const routingOf = (num: number): LoadedRouting => ({
  version: BigInt(num),
  endpoints: [{ num: num * 10, subscriptions: [{ types: ['a.*'] }] }],
});

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
  expect(matcher.match(3, 'a.b')).toEqual({ version: 3n, endpoints: [30] });
  expect(matcher.match(3, 'a.b').endpoints).toBe(matcher.match(3, 'a.b').endpoints);
  expect(matcher.match(3, 'b')).toEqual({ version: 3n, endpoints: [] });
});

test('tenants that are gone are named, and looked up again the next time', async () => {
  const { cache, loads } = cacheOf((num) => (num === 2 ? null : routingOf(num)));
  expect((await cache.prepare([1, 2])).gone).toEqual(new Set([2]));
  expect((await cache.prepare([2])).gone).toEqual(new Set([2]));
  expect(loads).toEqual([1, 2, 2]);
});

test('past its capacity the cache drops what was used least lately, but only when told that it may', async () => {
  const { cache, loads } = cacheOf(routingOf);
  const all = Array.from({ length: 10_001 }, (_, i) => i);
  await cache.prepare(all);
  const { matcher } = await cache.prepare([0]);
  expect(matcher.match(0, 'a').version).toBe(0n);
  cache.trim();
  await cache.prepare([0, 2]);
  expect(loads).toHaveLength(10_001);
  await cache.prepare([1]);
  expect(loads.at(-1)).toBe(1);
  expect(loads).toHaveLength(10_002);
});

test('to match a tenant that was not prepared is a bug, not an event without deliveries', async () => {
  const { matcher } = await cacheOf(routingOf).cache.prepare([2]);
  expect(() => matcher.match(1, 'a')).toThrow(/before its routing/);
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
  expect([1, 2].map((num) => matcher.match(num, 'a.b').endpoints)).toEqual([[10], [20]]);
});
