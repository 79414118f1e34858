import { expect, test, vi } from 'vitest';
import type { AppendGroup, AppendResult } from '../store/event-log.ts';
import {
  appended,
  commitsWith,
  DEADLINE_MS,
  follow,
  ofTenant,
  refused,
  routingOf,
  settled,
  stored,
  succeeds,
  TURNS_MS,
  unitOf,
  useCommits,
} from './fixtures/commit-rig.ts';
import { RoutingCache } from './routing-cache.ts';

useCommits();

test('G4: a tenant whose routing takes for ever to be read keeps no event of another tenant waiting, however many of its own come', async () => {
  const reads: number[] = [];
  const load = (num: number) => {
    reads.push(num);
    return num === 2 ? new Promise<null>(() => {}) : Promise.resolve(routingOf(1n));
  };
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  const slow = [];
  for (let i = 0; i < 20; i++) {
    slow.push(follow(commits.submit([ofTenant(2)])));
    const other = await settled(commits.submit([ofTenant(1)]));
    expect(other.value?.kind).toBe('accepted');
  }
  expect(reads).toEqual([2, 1]);
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  for (const { error } of slow) expect(error).toSatisfy(refused('storage_unavailable'));
  expect(commits.waitingEvents).toBe(0);
});

test('G4: a change of one tenant’s routing, however long it takes to be read, keeps no other event of its group waiting', async () => {
  const change = Promise.withResolvers<ReturnType<typeof routingOf>>();
  let loadsOfTwo = 0;
  const load = async (num: number) => (num === 2 && ++loadsOfTwo > 1 ? change.promise : routingOf(1n));
  const append = async (group: AppendGroup): Promise<AppendResult> => {
    appended.push(group);
    return group.routing.get(2) === 1n ? { kind: 'routing_changed', tenants: [2] } : { kind: 'stored' };
  };
  const commits = commitsWith([], { routing: new RoutingCache(load, 4), append });
  await settled(commits.submit([ofTenant(1)]));
  const changed = follow(commits.submit([ofTenant(2)]));
  const other = await settled(commits.submit([ofTenant(1)]));
  const later = await settled(commits.submit([ofTenant(1)]));
  expect([other.value?.kind, later.value?.kind, changed.isOver]).toEqual(['accepted', 'accepted', false]);
  change.resolve(routingOf(2n));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(changed.value?.kind).toBe('accepted');
  expect(appended.at(-1)!.routing.get(2)).toBe(2n);
});

test('G4: what waits for routing takes no more than half of the buffer, whoever’s it is, and of that no tenant has all', async () => {
  const load = (num: number) => (num === 1 ? Promise.resolve(routingOf(1n)) : new Promise<null>(() => {}));
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4), maxEvents: 40 });
  const waiting: number[] = [];
  for (const num of [2, 3, 4]) {
    const sent = [];
    for (let i = 0; i < 12; i++) sent.push(await settled(commits.submit([ofTenant(num)])));
    waiting.push(sent.filter(({ isOver }) => !isOver).length);
    expect(sent.at(-1)!.error).toSatisfy(refused('overloaded'));
  }
  expect(waiting).toEqual([10, 5, 2]);
  expect((await settled(commits.submit([ofTenant(1)]))).value?.kind).toBe('accepted');
});

test('G4: what stands behind a thousand events that all wait for routing is stored', async () => {
  const load = (num: number) => (num === 2 ? new Promise<null>(() => {}) : Promise.resolve(routingOf(1n)));
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  await settled(commits.submit([ofTenant(1)]));
  follow(commits.submit(Array.from({ length: 1_000 }, () => ofTenant(2))));
  const other = await settled(commits.submit([ofTenant(1)]));
  expect(other.value?.kind).toBe('accepted');
});

test('events of a tenant that waited for its routing are stored in the order in which they came', async () => {
  const read = Promise.withResolvers<ReturnType<typeof routingOf>>();
  const commits = commitsWith([succeeds], { routing: new RoutingCache(() => read.promise, 4) });
  const units = [];
  for (let i = 0; i < 3; i++) {
    units.push([ofTenant(2)]);
    await settled(commits.submit(units.at(-1)!));
  }
  units.push([ofTenant(2)]);
  follow(commits.submit(units.at(-1)!));
  read.resolve(routingOf(1n));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(stored.flatMap((group) => group.events.map(({ uuid }) => uuid))).toEqual(units.map(([event]) => event!.uuid));
});

test('the routing of all tenants of a batch is read at once, not one after the other', async () => {
  const reads = new Map<number, PromiseWithResolvers<ReturnType<typeof routingOf>>>();
  const load = (num: number) => {
    reads.set(num, Promise.withResolvers());
    return reads.get(num)!.promise;
  };
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  const batch = await settled(commits.submit([1, 2, 3, 2].map(ofTenant)));
  expect([...reads.keys()]).toEqual([1, 2, 3]);
  // One that fails is read again when it is wanted.
  reads.get(2)!.reject(new Error('connection lost'));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  for (const { resolve } of [...reads.values()]) resolve(routingOf(1n));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  reads.get(2)!.resolve(routingOf(1n));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(batch.value?.kind).toBe('accepted');
});

test('a drain waits for what waits for its routing', async () => {
  const read = Promise.withResolvers<ReturnType<typeof routingOf>>();
  const commits = commitsWith([succeeds], { routing: new RoutingCache(() => read.promise, 4) });
  await settled(commits.submit([ofTenant(2)]));
  const drained = await settled(commits.drain());
  expect(drained.isOver).toBe(false);
  read.resolve(routingOf(1n));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(drained.isOver).toBe(true);
});

test('nobody waits longer than the deadline, nor a drain for what waited so long, where routing is held for several groups', async () => {
  const last = Promise.withResolvers<AppendResult>();
  const append = async (group: AppendGroup): Promise<AppendResult> => {
    appended.push(group);
    return appended.length <= 4 ? { kind: 'routing_changed', tenants: [1] } : last.promise;
  };
  // Both are refused twice before it is held.
  const holdRouting = () => new Promise<() => void>((resolve) => setTimeout(() => resolve(() => {}), TURNS_MS));
  const commits = commitsWith([], { append, holdRouting });
  const sent = [600, 600].map((count) => follow(commits.submit(Array.from({ length: count }, () => ofTenant(1)))));
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  expect(appended.slice(4).map((group) => group.events.length)).toEqual([600]);
  for (const { error } of sent) expect(error).toSatisfy(refused('storage_unavailable'));
  expect(commits.waitingEvents).toBe(600);
  const drained = await settled(commits.drain());
  expect(drained.isOver).toBe(false);
  last.resolve({ kind: 'stored' });
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect([drained.isOver, commits.waitingEvents]).toEqual([true, 0]);
});

test('a drain waits for all groups of what is committed under a hold', async () => {
  const ends: (() => void)[] = [];
  const append = (group: AppendGroup): Promise<AppendResult> => {
    appended.push(group);
    if (appended.length <= 4) return Promise.resolve({ kind: 'routing_changed', tenants: [1] });
    return new Promise((resolve) => ends.push(() => resolve({ kind: 'stored' })));
  };
  const holdRouting = () => new Promise<() => void>((resolve) => setTimeout(() => resolve(() => {}), TURNS_MS));
  const commits = commitsWith([], { append, holdRouting });
  for (const count of [600, 600]) follow(commits.submit(Array.from({ length: count }, () => ofTenant(1))));
  const drained = follow(commits.drain());
  await vi.advanceTimersByTimeAsync(TURNS_MS * 3);
  ends[0]!();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect([ends.length, drained.isOver]).toEqual([2, false]);
  ends[1]!();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(drained.isOver).toBe(true);
});

/** Tenants whose routing changes whenever anything is done, unless it is held. */
function restlessTenants(nums: readonly number[]) {
  const versions = new Map(nums.map((num) => [num, 1n]));
  const held = new Set<number>();
  const change = () => {
    for (const [num, version] of versions) if (!held.has(num)) versions.set(num, version + 1n);
  };
  const load = async (num: number) => {
    const version = versions.get(num)!;
    change();
    return routingOf(version);
  };
  const append = async (group: AppendGroup): Promise<AppendResult> => {
    change();
    const tenants = [...group.routing].filter(([num, version]) => versions.get(num) !== version).map(([num]) => num);
    return tenants.length > 0 ? { kind: 'routing_changed', tenants } : { kind: 'stored' };
  };
  const holdRouting = async (tenants: ReadonlySet<number>) => {
    for (const num of tenants) held.add(num);
    return () => {
      for (const num of tenants) held.delete(num);
      change();
    };
  };
  return { append, holdRouting, routing: new RoutingCache(load, 4) };
}

test('a batch of several tenants that all change without a pause is stored once they are held', async () => {
  const commits = commitsWith([], restlessTenants([1, 2]));
  expect((await settled(commits.submit([ofTenant(1)]))).value?.kind).toBe('accepted');
  const batch = await settled(commits.submit([1, 2].map(ofTenant)));
  expect(batch.value?.kind).toBe('accepted');
});

/** So wide that a batch of 101 is refused: in order, its deliveries are never left to a worker. */
const wide = {
  version: 1n,
  endpoints: Array.from({ length: 200 }, (_, num) => ({ num, subscriptions: '[]', order: 'endpoint' as const })),
};

test('a hold ends with the commit that it is for, although batches that are too wide keep coming', async () => {
  const load = () => new Promise<typeof wide>((resolve) => setTimeout(() => resolve(wide), 3));
  const release = vi.fn();
  const append = async (group: AppendGroup): Promise<AppendResult> => {
    appended.push(group);
    return appended.length <= 2 ? { kind: 'routing_changed', tenants: [1] } : { kind: 'stored' };
  };
  const holdRouting = async () => release;
  const commits = commitsWith([], { append, holdRouting, routing: new RoutingCache(load, 4), maxEvents: 100_000 });
  const one = follow(commits.submit([ofTenant(1)]));
  const batches = [];
  for (let i = 0; i < 100; i++) {
    batches.push(follow(commits.submit(unitOf(101))));
    await vi.advanceTimersByTimeAsync(2);
  }
  expect(one.value?.kind).toBe('accepted');
  expect(release).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  for (const { value } of batches) expect(value?.kind).toBe('too_many_deliveries');
});

test('a batch whose routing was read for it is refused for its width without another read', async () => {
  const load = vi.fn(async () => wide);
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  expect((await settled(commits.submit(unitOf(101)))).value?.kind).toBe('too_many_deliveries');
  expect(load).toHaveBeenCalledTimes(1);
  // It may have changed since.
  expect((await settled(commits.submit(unitOf(101)))).value?.kind).toBe('too_many_deliveries');
  expect(load).toHaveBeenCalledTimes(2);
});
