import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { TooCostlyToMatch } from '../routing/match-steps.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { AppendGroup } from '../store/event-log.ts';
import { eventOf } from './fixtures/commit-rig.ts';
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts';
import { RoutingCache } from './routing-cache.ts';
import type { PendingEvent } from './seal-event.ts';

/** What was done, in order: events by their public ids. */
const matched: string[] = [];
const stored: string[] = [];
const groups: AppendGroup[] = [];
const order: string[] = [];
/** A clock that goes on by what matching is said to take, and where a test says so: how fast the machine is says nothing. */
let clockMs = 0;
const steadyMs = () => clockMs;
/** How far timers have come. */
let timedMs = 0;
let made: GroupCommit | null = null;
const versions = new Map<number, bigint>();

beforeEach(() => {
  for (const list of [matched, stored, groups, order]) list.length = 0;
  [clockMs, timedMs] = [0, 0];
  versions.clear();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  made?.stop();
  vi.useRealTimers();
});

/** An event whose matching takes so long. */
function costly(tenantNum: number, ms: number, given: Partial<PendingEvent> = {}): PendingEvent {
  const event = eventOf({ tenant: { num: tenantNum, id: `tenant_${tenantNum}` } });
  const content = () => {
    matched.push(event.publicId);
    order.push(`matched ${tenantNum}`);
    clockMs += ms;
    return { data: { a: 1 } };
  };
  return { ...event, content, ...given };
}

const subscriptions = JSON.stringify([{ filter: '{"data":{"a":[1]}}' }]);
const versionOf = (num: number) => versions.get(num) ?? 1n;

function commitsWith(options: Partial<GroupCommitOptions> = {}): GroupCommit {
  made = new GroupCommit({
    append: async (group) => {
      groups.push(group);
      const changed = [...group.routing].filter(([num, version]) => versionOf(num) !== version);
      if (changed.length > 0) return { kind: 'routing_changed', tenants: changed.map(([num]) => num) };
      for (const { tenantNum, uuid } of group.events) {
        stored.push(uuid);
        order.push(`stored ${tenantNum}`);
      }
      return { kind: 'stored' };
    },
    findClaims: async () => new Map(),
    isRetryable: () => false,
    holdRouting: async () => () => {},
    steadyMs,
    routing: new RoutingCache(async (num) => ({ version: versionOf(num), endpoints: [{ num: 7, subscriptions }] }), 4),
    onFailure: () => {},
    keysExpireBefore: () => '00000000-0000-0000-0000-000000000000',
    maxEvents: 5_000,
    maxBytes: 1_000_000,
    deadlineMs: 30_000,
    ...options,
  });
  return made;
}

/** A few turns of the event loop. */
async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

/** Turns until it is so. Between them timers are due as far as the clock has come. */
async function until(isSo: () => boolean, inEach = () => {}): Promise<void> {
  while (!isSo()) {
    await nextTurn();
    inEach();
    vi.advanceTimersByTime(clockMs - timedMs);
    timedMs = clockMs;
  }
}

test('G4: a tenant whose events take long to be matched keeps no other event of its group waiting: of its own one is matched meanwhile', async () => {
  const commits = commitsWith();
  await commits.submit([costly(1, 0)]);
  await commits.submit([costly(2, 0)]);
  order.length = 0;
  const slow = commits.submit(Array.from({ length: 4 }, () => costly(2, 100)));
  const other = commits.submit([costly(1, 0)]);
  expect((await other).kind).toBe('accepted');
  expect(order).toEqual(['matched 2', 'matched 1', 'stored 1']);
  expect((await slow).kind).toBe('accepted');
  expect(order.slice(3)).toEqual([...Array(3).fill('matched 2'), ...Array(4).fill('stored 2')]);
});

test('tenants whose events take long, each its first ones, have no group’s turn to themselves together', async () => {
  const commits = commitsWith();
  const tenants = Array.from({ length: 12 }, (_, i) => i + 1);
  for (const num of tenants) await commits.submit([costly(num, 0)]);
  order.length = 0;
  let isOver = false;
  const tick = () => {
    order.push('turn');
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await Promise.all(tenants.map((num) => commits.submit([costly(num, 24)])));
  isOver = true;
  const inTurns = order.join(' ').split('turn');
  const most = Math.max(...inTurns.map((each) => each.split('matched').length - 1));
  expect(most).toBe(3);
  expect(order.filter((each) => each.startsWith('matched'))).toHaveLength(12);
});

test('what waited until it was matched is stored in the order in which it came, with what came meanwhile, each event matched once', async () => {
  const commits = commitsWith();
  const units = Array.from({ length: 5 }, () => [costly(2, 400), costly(2, 400)]);
  const sent = units.slice(0, 3).map((unit) => commits.submit(unit));
  await turns();
  sent.push(...units.slice(3).map((unit) => commits.submit(unit)));
  const results = await Promise.all(sent);
  for (const result of results) expect(result.kind).toBe('accepted');
  expect(stored).toEqual(units.flat().map(({ uuid }) => uuid));
  expect(matched).toEqual(units.flat().map(({ publicId }) => publicId));
});

test('what was matched by routing that has changed since is matched again', async () => {
  const commits = commitsWith();
  const unit = [costly(2, 1_000), costly(2, 1_000)];
  await commits.submit([costly(2, 0)]);
  const sent = commits.submit(unit);
  while (matched.length < 2) await nextTurn();
  versions.set(2, 2n);
  expect((await sent).kind).toBe('accepted');
  expect(groups.at(-1)!.routing.get(2)).toBe(2n);
  expect(matched.filter((id) => id === unit[0]!.publicId)).toHaveLength(2);
});

const tooCostly = (error: unknown) =>
  error instanceof Refusal &&
  [error.status, error.code].join() === '429,rate_limited' &&
  error.retryAfterSeconds! >= 1 &&
  /fewer events at once/.test(error.message);

test('what cannot be matched in the time that a producer waits is refused, with what is to be done', async () => {
  const commits = commitsWith({ deadlineMs: 100 });
  let refusal: unknown = null;
  void commits.submit(Array.from({ length: 6 }, () => costly(2, 300))).catch((error) => {
    refusal = error;
  });
  await until(() => refusal !== null);
  expect(refusal).toSatisfy(tooCostly);
  expect(matched.length).toBeLessThan(6);
  expect(commits.waitingEvents).toBe(0);
  await commits.drain();
});

test('what is stored already is not matched again: who sends a batch again that took too long comes to an end', async () => {
  const asked: string[] = [];
  const by: ClaimedBy = {
    eventUuid: '00000000-0000-7000-8000-000000000001',
    externalId: 'mine',
    bodyHash: 'a',
    deliveries: 3,
  };
  const commits = commitsWith({
    findClaims: async (keys) => {
      asked.push(...keys);
      return new Map(keys.filter((key) => key !== 'k9').map((key) => [key, by]));
    },
  });
  const batch = [1, 2, 3, 9].map((num) => costly(2, 100, { keys: [`k${num}`], bodyHash: 'a' }));
  const sent = commits.submit(batch);
  expect(await sent).toMatchObject({
    items: [1, 2, 3].map(() => ({ id: 'mine', status: 'duplicate' })).concat([{ status: 'accepted' } as never]),
  });
  expect(asked).toEqual(['k1', 'k2', 'k3', 'k9']);
  expect(matched).toEqual([batch[0]!.publicId, batch[3]!.publicId]);
});

test('G4: what waits until it is matched takes no more than a quarter of the buffer, and no tenant has all of that', async () => {
  const asked = Promise.withResolvers<ReadonlyMap<string, ClaimedBy>>();
  const commits = commitsWith({ maxEvents: 80, findClaims: () => asked.promise });
  const waiting: number[] = [];
  const all: Promise<unknown>[] = [];
  for (const num of [2, 3]) {
    await commits.submit([costly(num, 0)]);
    const units = Array.from({ length: 15 }, (_, i) => [costly(num, 30, { keys: [`${num}k${i}`], bodyHash: 'a' })]);
    const sent = units.map((unit) => commits.submit(unit).then(String, String));
    const open = new Set(sent);
    for (const each of sent) void each.then(() => open.delete(each));
    await turns(5);
    waiting.push(open.size);
    all.push(...sent);
  }
  expect(waiting).toEqual([10, 5]);
  expect((await commits.submit([costly(1, 0)])).kind).toBe('accepted');
  asked.resolve(new Map());
  await Promise.all(all);
  expect(stored).toHaveLength(2 + 1 + 2 + 15);
});

test('an event that is cheap, in a batch behind another tenant’s that takes long, does not make its own tenant one whose events take long', async () => {
  const commits = commitsWith({
    findClaims: () => Promise.reject(new Error('nothing waits until it is matched')),
  });
  const keys = { keys: ['k1'], bodyHash: 'a' };
  for (const num of [2, 3]) await commits.submit([costly(num, 0)]);
  const sent = [commits.submit([costly(2, 60), costly(3, 0, keys)]), commits.submit([costly(3, 0)])];
  for (const result of await Promise.all(sent)) expect(result.kind).toBe('accepted');
  // The one that took long once.
  expect(matched).toHaveLength(5);
});

test('a batch that takes long to be matched is stored though the routing of its tenant changes all the time: as long as that is held it is matched turn by turn', async () => {
  let isHeld = false;
  const commits = commitsWith({
    holdRouting: async () => {
      isHeld = true;
      return () => {
        isHeld = false;
      };
    },
  });
  await commits.submit([costly(2, 0)]);
  order.length = 0;
  let inARow = 0;
  const runs: number[] = [];
  const tick = () => {
    if (!isHeld) versions.set(2, versionOf(2) + 1n);
    runs.push(order.length - inARow);
    inARow = order.length;
    if (!isOver) setImmediate(tick);
  };
  let isOver = false;
  setImmediate(tick);
  const sent = await commits.submit(Array.from({ length: 40 }, () => costly(2, 10))).finally(() => {
    isOver = true;
  });
  expect(sent.kind).toBe('accepted');
  // No turn had many of them.
  expect(Math.max(...runs.slice(0, -1))).toBeLessThan(40);
});

test.for([
  { tenants: [2], ms: 60 },
  { tenants: [2, 3], ms: 30 },
])(
  'G4: events that take long and come in requests of their own wait apart too, whatever one takes (%o)',
  async ({ tenants, ms }) => {
    const commits = commitsWith();
    for (const num of [1, ...tenants]) await commits.submit([costly(num, 0)]);
    order.length = 0;
    const slow = Array.from({ length: 12 }, (_, i) => commits.submit([costly(tenants[i % tenants.length]!, ms)]));
    // It is stored in the next group, though all of them came before it.
    await commits.submit([costly(1, 0)]);
    expect(order.filter((each) => each.startsWith('matched') && each !== 'matched 1').length).toBeLessThan(6);
    for (const result of await Promise.all(slow)) expect(result.kind).toBe('accepted');
  },
);

test('what would not be matched in time by what those before it take is refused at once, and those come to an end', async () => {
  const commits = commitsWith({ deadlineMs: 600 });
  await commits.submit([costly(2, 0)]);
  const outcomes: string[] = [];
  const send = () =>
    commits.submit(Array.from({ length: 10 }, () => costly(2, 5))).then(
      ({ kind }) => outcomes.push(kind),
      (error: Refusal) => outcomes.push(String(error.status)),
    );
  // Three times as much as can be done: one in 16 ms, and each takes 50.
  let sent = 0;
  let before = 0;
  await until(
    () => outcomes.length === 60,
    () => {
      // While nothing is matched time goes by as well.
      if (clockMs === before) clockMs++;
      before = clockMs;
      for (; sent < 60 && sent * 16 <= clockMs; sent++) void send();
    },
  );
  const accepted = outcomes.filter((each) => each === 'accepted').length;
  expect(accepted).toBeGreaterThan(20);
  expect(outcomes.filter((each) => each === '429')).toHaveLength(60 - accepted);
  // Nothing was matched in vain.
  expect(matched).toHaveLength(1 + accepted * 10);
});

test('of a request of which most is matched the rest alone is in the way of those behind it', async () => {
  const commits = commitsWith({ deadlineMs: 900 });
  await commits.submit([costly(2, 0)]);
  const of = (count: number) => Array.from({ length: count }, () => costly(2, 5));
  const sent = [commits.submit(of(160))];
  await until(() => matched.length > 150);
  // It takes 150 ms, and the others less than 50 by then; with all of theirs it would be too late.
  sent.push(commits.submit(of(30)));
  for (const result of await Promise.all(sent)) expect(result.kind).toBe('accepted');
});

test('one event that takes long has none of its tenant refused that take no time', async () => {
  const commits = commitsWith({ deadlineMs: 5_000 });
  await commits.submit([costly(2, 0)]);
  const cheap = (count: number) => commits.submit(Array.from({ length: count }, () => costly(2, 0.25)));
  const sent = [cheap(240), commits.submit([costly(2, 900)]), cheap(20)];
  await until(() => clockMs > 900);
  // What came meanwhile.
  for (let i = 0; i < 5; i++) sent.push(cheap(20));
  for (const result of await Promise.all(sent)) expect(result.kind).toBe('accepted');
});

test('it is waited for what waits until it is matched when commits are to end', async () => {
  const commits = commitsWith();
  await commits.submit([costly(2, 0)]);
  let isOver = false;
  const sent = commits.submit(Array.from({ length: 6 }, () => costly(2, 30))).finally(() => (isOver = true));
  await commits.drain();
  await Promise.resolve();
  expect(isOver).toBe(true);
  expect((await sent).kind).toBe('accepted');
});

test('when it cannot be told what is stored already, those that wait for it get 503, and later ones are stored', async () => {
  let isAway = true;
  const commits = commitsWith({
    findClaims: async () => {
      if (isAway) throw new Error('connection lost');
      return new Map();
    },
  });
  const keys = { keys: ['k1'], bodyHash: 'a' };
  const sent = commits.submit([costly(2, 100), costly(2, 100, keys)]);
  await expect(sent).rejects.toMatchObject({ code: 'storage_unavailable' });
  isAway = false;
  expect((await commits.submit([costly(2, 100, keys)])).kind).toBe('accepted');
});

test('what takes too long to be matched is found out once where it waits for that, and the rest of its request is not matched', async () => {
  const commits = commitsWith();
  await commits.submit([costly(1, 0)]);
  // The first is enough for one turn: the others wait apart.
  const [before, long, after] = [costly(1, 60), costly(1, 500), costly(1, 1)];
  const content = () => {
    long.content();
    throw new TooCostlyToMatch();
  };
  const ours = () => matched.filter((id) => [before, long, after].some(({ publicId }) => publicId === id));
  const refused = commits.submit([before, { ...long, content }, after]);
  expect(await refused).toEqual({ kind: 'too_costly', index: 1 });
  expect(ours()).toEqual([before.publicId, long.publicId]);
});
