import { expect, test, vi } from 'vitest';
import { TooCostlyToMatch } from '../routing/match-steps.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { AppendResult } from '../store/event-log.ts';
import {
  appended,
  commitsWith,
  DEADLINE_MS,
  eventOf,
  fails,
  follow,
  never,
  refused,
  settled,
  stored,
  succeeds,
  TURNS_MS,
  unitOf,
  useCommits,
} from './fixtures/commit-rig.ts';
import { RoutingCache } from './routing-cache.ts';
import type { PendingEvent } from './seal-event.ts';

useCommits();

test('requests of one turn of the event loop share a statement, and each is told of its own events', async () => {
  const commits = commitsWith([succeeds]);
  const units = [unitOf(1), unitOf(3), unitOf(2)];
  const results = units.map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(appended).toHaveLength(1);
  expect(appended[0]!.events).toHaveLength(6);
  for (const [i, result] of results.entries()) {
    expect(result.value).toMatchObject({
      kind: 'accepted',
      items: units[i]!.map(({ publicId }) => ({ id: publicId, deliveries: 1 })),
    });
  }
});

test('a statement holds at most a thousand events of several requests, and two are under way at once', async () => {
  const commits = commitsWith([never]);
  for (let i = 0; i < 5; i++) follow(commits.submit(unitOf(600)));
  await vi.advanceTimersByTimeAsync(10);
  expect(appended.map((group) => group.events.length)).toEqual([600, 600]);
});

test('when the buffer is full in events, 503 comes at once and what is buffered is not touched', async () => {
  const commits = commitsWith([succeeds], { maxEvents: 5 });
  await settled(commits.submit(unitOf(1)));
  const first = follow(commits.submit(unitOf(4)));
  await expect(commits.submit(unitOf(2))).rejects.toSatisfy(refused('overloaded'));
  const second = follow(commits.submit(unitOf(1)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect([first.value?.kind, second.value?.kind]).toEqual(['accepted', 'accepted']);
  expect(appended.flatMap((group) => group.events)).toHaveLength(6);
});

test('when the buffer is full in bytes, 503 comes at once', async () => {
  const commits = commitsWith([succeeds], { maxBytes: 25 });
  follow(commits.submit(unitOf(2)));
  await expect(commits.submit(unitOf(1))).rejects.toSatisfy(refused('overloaded'));
});

test('a request larger than the whole buffer passes when nothing else waits', async () => {
  const commits = commitsWith([succeeds], { maxEvents: 5, maxBytes: 25 });
  const result = follow(commits.submit(unitOf(9)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(result.value?.kind).toBe('accepted');
});

test('events under way count against the buffer until their commit has ended, and not after', async () => {
  let finish: (result: AppendResult) => void = () => {};
  const commits = commitsWith([() => new Promise((resolve) => (finish = resolve))], { maxEvents: 4 });
  follow(commits.submit(unitOf(4)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  await expect(commits.submit(unitOf(1))).rejects.toSatisfy(refused('overloaded'));
  finish({ kind: 'stored' });
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(follow(commits.submit(unitOf(4))).isOver).toBe(false);
});

test('nobody waits longer than the deadline although the commit never answers', async () => {
  const commits = commitsWith([never]);
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(DEADLINE_MS - 50);
  expect(result.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(150);
  expect(result.error).toSatisfy(refused('storage_unavailable'));
  expect(stored).toHaveLength(0);
});

test('a request that expired before it was sent is never sent, and its place in the buffer is free again', async () => {
  const finish: (() => void)[] = [];
  const hanging = () => new Promise<AppendResult>((resolve) => finish.push(() => resolve({ kind: 'stored' })));
  const commits = commitsWith([hanging], { maxEvents: 3_000 });
  for (let i = 0; i < 2; i++) follow(commits.submit(unitOf(1_000)));
  const late = unitOf(1_000);
  const waiting = follow(commits.submit(late));
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  expect(waiting.error).toSatisfy(refused('storage_unavailable'));
  const next = follow(commits.submit(unitOf(1_000)));
  for (const end of finish) end();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  for (const end of finish) end();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(next.value?.kind).toBe('accepted');
  const sent = new Set(appended.flatMap((group) => group.events.map((event) => event.uuid)));
  expect(late.some((event) => sent.has(event.uuid))).toBe(false);
});

test('a commit that succeeds after the deadline does not turn the 503 into a 202', async () => {
  const commits = commitsWith([() => new Promise((resolve) => setTimeout(() => resolve({ kind: 'stored' }), 2_000))]);
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(result.error).toSatisfy(refused('storage_unavailable'));
  expect(stored).toHaveLength(1);
});

test('when the statement fails, everyone in it gets 503 and nobody is told that anything was accepted', async () => {
  const failures: number[] = [];
  const commits = commitsWith([fails], { onFailure: (_error, count) => failures.push(count) });
  const results = [unitOf(1), unitOf(2)].map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  for (const result of results) expect(result.error).toSatisfy(refused('storage_unavailable'));
  expect(stored).toHaveLength(0);
  expect(appended).toHaveLength(1);
  expect(failures).toEqual([3]);
});

test('a deadlock or serialization failure is tried again', async () => {
  const commits = commitsWith([
    () => Promise.reject(Object.assign(new Error('deadlock'), { code: '40001' })),
    succeeds,
  ]);
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(result.value?.kind).toBe('accepted');
  expect(appended).toHaveLength(2);
});

test('when the routing has changed, the group is matched anew with the routing that now holds', async () => {
  const commits = commitsWith([async () => ({ kind: 'routing_changed', tenants: [1] }), succeeds]);
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(result.value?.kind).toBe('accepted');
  expect(appended.map((group) => group.routing.get(1))).toEqual([1n, 2n]);
});

test('routing that changes again and again is held from the second change on for each commit, and is let go with it, also when nothing can be stored', async () => {
  const changed = async () => ({ kind: 'routing_changed' as const, tenants: [1] });
  const release = vi.fn();
  const holdRouting = vi.fn(async (_tenants: ReadonlySet<number>) => release);
  const commits = commitsWith([changed, changed, changed, succeeds, changed], { holdRouting });
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(result.value?.kind).toBe('accepted');
  expect(holdRouting.mock.calls).toEqual([[new Set([1])], [new Set([1])]]);
  expect(release).toHaveBeenCalledTimes(2);
  const refusedOne = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(refusedOne.error).toSatisfy(refused('storage_unavailable'));
  expect(release).toHaveBeenCalledTimes(6);
  expect(holdRouting).toHaveBeenCalledTimes(6);
});

test('when a key was taken, the group is planned anew with what is claimed: a duplicate stores nothing', async () => {
  const by: ClaimedBy = {
    eventUuid: '00000000-0000-7000-8000-000000000001',
    externalId: 'mine',
    bodyHash: 'a',
    deliveries: 3,
  };
  const commits = commitsWith([async () => ({ kind: 'key_taken' })], {
    findClaims: async (keys) => new Map(keys.map((key) => [key, by])),
  });
  const same = follow(commits.submit([eventOf({ keys: ['k'], bodyHash: 'a' })]));
  const other = follow(commits.submit([eventOf({ keys: ['k'], bodyHash: 'b' })]));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(same.value).toEqual({ kind: 'accepted', items: [{ id: 'mine', status: 'duplicate', deliveries: 3 }] });
  expect(other.value).toEqual({ kind: 'conflict', indexes: [0] });
  expect(stored).toHaveLength(0);
});

test('a group that is turned away again and again ends in 503, not in a loop', async () => {
  const commits = commitsWith([async () => ({ kind: 'routing_changed', tenants: [1] })]);
  const result = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(result.error).toSatisfy(refused('storage_unavailable'));
  expect(appended.length).toBeLessThan(20);
});

test('when the routing cannot be read, everyone gets 503 and the next requests are served', async () => {
  let isAway = true;
  const load = async () => {
    if (isAway) throw new Error('connection lost');
    return { version: 1n, endpoints: [] };
  };
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  const first = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(first.error).toSatisfy(refused('storage_unavailable'));
  isAway = false;
  const second = follow(commits.submit(unitOf()));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(second.value?.kind).toBe('accepted');
});

test('a drain ends when nothing is buffered or under way, at once when nothing was, and also after failures and expiries', async () => {
  const commits = commitsWith([fails]);
  await commits.drain();
  follow(commits.submit(unitOf()));
  const drained = follow(commits.drain());
  expect(drained.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(drained.isOver).toBe(true);
});

test('a drain ends although all that waited has expired', async () => {
  const finish: (() => void)[] = [];
  const commits = commitsWith([() => new Promise((resolve) => finish.push(() => resolve({ kind: 'stored' })))]);
  for (let i = 0; i < 3; i++) follow(commits.submit(unitOf(1_000)));
  const drained = follow(commits.drain());
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  for (const end of finish) end();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(drained.isOver).toBe(true);
});

let loads = 0;

// In order: their deliveries are never left to a worker.
const wideRouting = (endpoints: () => number) =>
  new RoutingCache(
    async () => ({
      version: BigInt(++loads),
      endpoints: Array.from({ length: endpoints() }, (_, num) => ({ num, subscriptions: '[]', order: 'endpoint' })),
    }),
    4,
  );

test('requests that fan out too far together are stored in several statements, and one that fails takes no other with it', async () => {
  const commits = commitsWith([succeeds, fails, succeeds], { routing: wideRouting(() => 10_000) });
  const units = Array.from({ length: 6 }, () => unitOf(1));
  const results = units.map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(appended.every((group) => group.deliveries.length <= 20_000)).toBe(true);
  const sent = appended.flatMap((group) => group.events.map((event) => event.uuid));
  expect(sent).toEqual(units.map((unit) => unit[0]!.uuid));
  const failed = new Set(appended[1]!.events.map((event) => event.uuid));
  for (const [i, result] of results.entries()) {
    if (failed.has(units[i]![0]!.uuid)) expect(result.error).toSatisfy(refused('storage_unavailable'));
    else expect(result.value).toMatchObject({ items: [{ id: units[i]![0]!.publicId, status: 'accepted' }] });
  }
});

test('a request that writes very many deliveries at once does not hold up those that came with it', async () => {
  const commits = commitsWith([succeeds, fails], {
    routing: new RoutingCache(
      async (num) => ({
        version: 1n,
        endpoints: Array.from({ length: num === 2 ? 5_000 : 1 }, (_, i) => ({
          num: i,
          subscriptions: '[]',
          order: 'endpoint',
        })),
      }),
      4,
    ),
  });
  const heavy = [eventOf({ tenant: { num: 2, id: 'tenant_2' } })];
  const [before, wide, after] = [unitOf(1), heavy, unitOf(1)].map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(appended.map((group) => group.deliveries.length)).toEqual([2, 5_000]);
  expect([before!.value?.kind, after!.value?.kind]).toEqual(['accepted', 'accepted']);
  expect(wide!.error).toSatisfy(refused('storage_unavailable'));
});

test('what expired while an earlier part of its group was being stored is never sent', async () => {
  const finish: (() => void)[] = [];
  const hanging = () => new Promise<AppendResult>((resolve) => finish.push(() => resolve({ kind: 'stored' })));
  const commits = commitsWith([hanging], { routing: wideRouting(() => 10_000) });
  for (let i = 0; i < 4; i++) follow(commits.submit(unitOf(1)));
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  for (const end of finish) end();
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(appended).toHaveLength(1);
});

test('a batch is not refused for its fan-out by a routing that no longer holds', async () => {
  let endpoints = 10_000;
  const commits = commitsWith([succeeds], { routing: wideRouting(() => endpoints) });
  const before = follow(commits.submit(unitOf(3)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(before.value).toEqual({ kind: 'too_many_deliveries', weight: 30_000 });
  endpoints = 1;
  const after = follow(commits.submit(unitOf(3)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(after.value?.kind).toBe('accepted');
});

test('a batch that is stored already is not refused for endpoints that came since, and is looked for only where one is', async () => {
  let endpoints = 1;
  const claims = new Map<string, ClaimedBy>();
  const findClaims = vi.fn(async () => claims);
  const changed = async () => ({ kind: 'routing_changed' as const, tenants: [1] });
  const commits = commitsWith([succeeds, changed], { routing: wideRouting(() => endpoints), findClaims });
  const batch = ['a', 'b', 'c'].map((key) => eventOf({ keys: [key], bodyHash: key }));
  follow(commits.submit(batch));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  for (const { key, ...by } of stored[0]!.claims) claims.set(key, { ...by, externalId: key });
  endpoints = 10_000;
  const others = ['d', 'e', 'f'].map((key) => eventOf({ keys: [key], bodyHash: key }));
  expect(findClaims).not.toHaveBeenCalled();
  const [again, fresh] = [batch, others].map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  const items = ['a', 'b', 'c'].map((id) => ({ id, status: 'duplicate', deliveries: 1 }));
  expect(again!.value).toEqual({ kind: 'accepted', items });
  expect(fresh!.value?.kind).toBe('too_many_deliveries');
  expect(findClaims).toHaveBeenCalledTimes(1);
  expect(stored).toHaveLength(1);
});

/** Its one filter takes too long for events whose content says so. */
function routingThatGivesUp(filter: () => unknown): RoutingCache {
  let version = 0n;
  return new RoutingCache(async () => {
    version++;
    return { version, endpoints: [{ num: 7, subscriptions: JSON.stringify([filter()]) }] };
  }, 4);
}

const FILTER = { filter: '{"data":{"a":[1]}}' };
const givesUp = vi.fn(() => {
  throw new TooCostlyToMatch();
});

test('an event is refused for what takes too long to be matched once the routing was read anew, and not by one that no longer holds', async () => {
  let filter: unknown = FILTER;
  const commits = commitsWith([succeeds], { routing: routingThatGivesUp(() => filter) });
  expect((await settled(commits.submit([eventOf()]))).value?.kind).toBe('accepted');
  const result = await settled(commits.submit([eventOf(), eventOf({ content: givesUp }), eventOf()]));
  expect(result.value).toEqual({ kind: 'too_costly', index: 1 });
  filter = {};
  expect((await settled(commits.submit([eventOf({ content: givesUp })]))).value?.kind).toBe('accepted');
  expect(stored.flatMap(({ events }) => events)).toHaveLength(2);
});

test('an event that is stored already is not refused for filters that came since and take too long', async () => {
  const claimedBy = {
    eventUuid: '00000000-0000-7000-8000-000000000001',
    bodyHash: 'a',
    externalId: 'x',
    deliveries: 1,
  };
  const findClaims = vi.fn(async () => new Map<string, ClaimedBy>([['k', claimedBy]]));
  const commits = commitsWith([succeeds], { routing: routingThatGivesUp(() => FILTER), findClaims });
  const event = eventOf({ keys: ['k'], bodyHash: 'a', content: givesUp });
  const other = eventOf({ content: givesUp });
  const [again, fresh] = [[event], [other]].map((unit) => follow(commits.submit(unit)));
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(again!.value).toEqual({ kind: 'accepted', items: [{ id: 'x', status: 'duplicate', deliveries: 1 }] });
  expect(fresh!.value).toEqual({ kind: 'too_costly', index: 0 });
  expect(stored).toEqual([]);
});

test('messages of a source beside one that takes too long to be matched are stored, and it is not matched again by routing of the same version', async () => {
  const load = vi.fn(async () => ({ version: 1n, endpoints: [{ num: 7, subscriptions: JSON.stringify([FILTER]) }] }));
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4) });
  await settled(commits.submit([eventOf()]));
  givesUp.mockClear();
  const message = (given: Partial<PendingEvent> = {}) => eventOf({ source: { key: null }, ...given });
  const { value } = await settled(commits.submit([message(), message({ content: givesUp }), message()]));
  expect(value).toMatchObject({
    kind: 'independent',
    items: [{ status: 'accepted' }, 'too_costly', { status: 'accepted' }],
  });
  expect(stored.map(({ events }) => events.length)).toEqual([1, 2]);
  expect([load, givesUp].map((each) => each.mock.calls.length)).toEqual([2, 1]);
});

test('nobody waits until it is known whether the batch of another is stored already', async () => {
  const endpoints = (count: number) =>
    Array.from({ length: count }, (_, num) => ({ num, subscriptions: '[]', order: 'endpoint' as const }));
  const load = async (num: number) => ({ version: 1n, endpoints: endpoints(num === 2 ? 1 : 10_000) });
  const findClaims = () => new Promise<Map<string, ClaimedBy>>(() => {});
  const commits = commitsWith([succeeds], { routing: new RoutingCache(load, 4), findClaims });
  const [wide, light] = [unitOf(3), [eventOf({ tenant: { num: 2, id: 'tenant_2' } })]].map((unit) =>
    follow(commits.submit(unit)),
  );
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(light!.value?.kind).toBe('accepted');
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  expect(wide!.error).toSatisfy(refused('storage_unavailable'));
});

test('a batch that was looked for for too long, and told 503, is never stored', async () => {
  let endpoints = 10_000;
  const looking = Promise.withResolvers<Map<string, ClaimedBy>>();
  const commits = commitsWith([succeeds], {
    routing: wideRouting(() => endpoints),
    findClaims: () => looking.promise,
  });
  const batch = follow(commits.submit(unitOf(3)));
  await vi.advanceTimersByTimeAsync(DEADLINE_MS + 100);
  expect(batch.error).toSatisfy(refused('storage_unavailable'));
  endpoints = 1;
  looking.resolve(new Map());
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect(appended).toEqual([]);
});

test('a tenant whose routing changes all the time costs itself 503, and nobody else', async () => {
  const failures: number[] = [];
  const commits = commitsWith([succeeds], {
    append: async (group) => {
      appended.push(group);
      return group.routing.has(2) ? { kind: 'routing_changed', tenants: [2] } : { kind: 'stored' };
    },
    onFailure: (_error, count) => failures.push(count),
  });
  const restless = eventOf({ tenant: { num: 2, id: 'tenant_2' } });
  const [first, second, both, last] = [unitOf(1), [restless], [eventOf(), restless], unitOf(2)].map((unit) =>
    follow(commits.submit(unit)),
  );
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect([first!.value?.kind, last!.value?.kind]).toEqual(['accepted', 'accepted']);
  for (const result of [second!, both!]) expect(result.error).toSatisfy(refused('storage_unavailable'));
  expect(failures).toEqual([3]);
});
