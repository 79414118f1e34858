import { expect, test } from 'vitest';
import type { LimitSettings } from '../domain/ingest-limits.ts';
import type { TenantDemand } from '../store/ingest-demand.ts';
import { TenantLimiter } from './tenant-limiter.ts';

const tenant = (num: number) => ({ num, id: `t${num}` });

/** Processes that share what Postgres would hold, on one clock. */
function stage(limits: Record<number, LimitSettings>, more: { defaults?: LimitSettings; maxTenants?: number } = {}) {
  const clock = { steadyMs: 0 };
  const demands = new Map<string, Map<number, number>>();
  const waiting = new Map<number, number>();
  const looks: number[][] = [];
  const start = (process: string) =>
    new TenantLimiter({
      exchange: async (told) => {
        looks.push([...told.keys()]);
        const mine = demands.get(process) ?? new Map<number, number>();
        for (const [num, demand] of told) demand === null ? mine.delete(num) : mine.set(num, demand);
        demands.set(process, mine);
        return new Map([...told.keys()].map((num) => [num, lookOf(process, num)]));
      },
      countWaiting: async (caps) => new Map([...caps].map(([num, cap]) => [num, Math.min(cap, waiting.get(num) ?? 0)])),
      leave: async () => void demands.delete(process),
      defaults: more.defaults ?? {},
      steadyMs: () => clock.steadyMs,
      maxTenants: more.maxTenants ?? 100,
    });
  const lookOf = (process: string, num: number): TenantDemand => {
    const others = [...demands].flatMap(([of, mine]) => (of !== process && mine.has(num) ? [mine.get(num)!] : []));
    const unmeasured = others.filter((demand) => demand === 0).length;
    return {
      limits: limits[num] ?? null,
      others: others.length,
      unmeasured,
      othersDemand: others.reduce((a, b) => a + b, 0),
    };
  };
  return { clock, start, limits, waiting, looks };
}

const charge = async (limiter: TenantLimiter, num: number, events = 1, bytes = 0) =>
  (await limiter.charge([{ tenant: tenant(num), events, bytes }])).refusal;

test('a tenant without limits passes, and its answers carry no headers', async () => {
  const limiter = stage({}).start('a');
  expect(await limiter.charge([{ tenant: tenant(1), events: 1_000_000, bytes: 1e9 }])).toEqual({
    refusal: null,
    headers: {},
  });
});

test('events and bytes are limited each, and the refusal says how long to wait', async () => {
  const { start, clock } = stage({
    1: { events_per_second: 0.5, burst_events: 2, bytes_per_second: 100, burst_bytes: 300 },
  });
  const limiter = start('a');
  expect(await charge(limiter, 1, 2, 100)).toBeNull();
  expect(await charge(limiter, 1, 1, 0)).toMatchObject({ status: 429, code: 'rate_limited', retryAfterSeconds: 2 });
  clock.steadyMs = 4_000;
  expect(await charge(limiter, 1, 1, 300)).toBeNull();
  expect(await charge(limiter, 1, 1, 300)).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 3 });
});

test('what is more than may ever come at once is refused for good, without a time to wait', async () => {
  const limiter = stage({ 1: { events_per_second: 5, burst_events: 10 } }).start('a');
  const refusal = await charge(limiter, 1, 11);
  expect(refusal).toMatchObject({ status: 413, code: 'over_burst' });
  expect(refusal?.retryAfterSeconds).toBeUndefined();
});

test('a request of several tenants is charged to all of them or to none', async () => {
  const limiter = stage({
    1: { events_per_second: 1, burst_events: 5 },
    2: { events_per_second: 1, burst_events: 1 },
  }).start('a');
  const both = [
    { tenant: tenant(1), events: 5, bytes: 0 },
    { tenant: tenant(2), events: 1, bytes: 0 },
  ];
  expect(await charge(limiter, 2)).toBeNull();
  expect((await limiter.charge(both)).refusal).toMatchObject({ code: 'rate_limited' });
  expect(await charge(limiter, 1, 5)).toBeNull();
});

test('a look ahead takes nothing', async () => {
  const limiter = stage({ 1: { events_per_second: 1, burst_events: 1 } }).start('a');
  for (let i = 0; i < 3; i++) expect((await limiter.peek(tenant(1), { events: 1, bytes: 0 })).refusal).toBeNull();
  expect(await charge(limiter, 1)).toBeNull();
  expect((await limiter.peek(tenant(1), { events: 1, bytes: 0 })).refusal).toMatchObject({ status: 429 });
});

test('limits of the installation hold where a tenant has none of its own, and not where its own say that there is none', async () => {
  const given = { 2: { events_per_second: null }, 3: { events_per_second: 10 } };
  const limiter = stage(given, { defaults: { events_per_second: 1, burst_events: 2 } }).start('a');
  expect(await charge(limiter, 1, 3)).toMatchObject({ code: 'over_burst' });
  expect(await charge(limiter, 2, 100)).toBeNull();
  expect(await charge(limiter, 3, 10)).toBeNull();
});

test('a full backlog is refused, deliveries that were just stored included, until a count finds less', async () => {
  const { start, waiting } = stage({ 1: { backlog: 10 } });
  const limiter = start('a');
  expect(await charge(limiter, 1)).toBeNull();
  limiter.accepted(tenant(1), 10);
  expect(await charge(limiter, 1)).toMatchObject({ status: 429, code: 'backlog_full', retryAfterSeconds: 5 });
  waiting.set(1, 9);
  await limiter.runOnce();
  expect(await charge(limiter, 1)).toBeNull();
  waiting.set(1, 10_000);
  await limiter.runOnce();
  expect(await charge(limiter, 1)).toMatchObject({ code: 'backlog_full' });
});

test('changed limits hold from the next exchange on', async () => {
  const { start, limits } = stage({ 1: { events_per_second: 1, burst_events: 1 } });
  const limiter = start('a');
  await charge(limiter, 1);
  expect(await charge(limiter, 1)).not.toBeNull();
  limits[1] = { events_per_second: null };
  await limiter.runOnce();
  expect(await charge(limiter, 1, 1_000)).toBeNull();
});

test('the first look for a tenant is one, however many ask at once, and one that fails is made again', async () => {
  const { start, looks } = stage({});
  const limiter = start('a');
  await Promise.all([charge(limiter, 1), charge(limiter, 1), charge(limiter, 1)]);
  expect(looks).toEqual([[1]]);
  let fails = true;
  const options = {
    exchange: async () => {
      if (fails) throw new Error('away');
      return new Map();
    },
    countWaiting: async () => new Map(),
    leave: async () => {},
    defaults: {},
    steadyMs: () => 0,
    maxTenants: 1,
  };
  const other = new TenantLimiter(options);
  await expect(charge(other, 1)).rejects.toThrow('away');
  fails = false;
  expect(await charge(other, 1)).toBeNull();
});

test('no more tenants are remembered than may be, and those that are not heard of are forgotten', async () => {
  const { start, looks, clock } = stage({}, { maxTenants: 3 });
  const limiter = start('a');
  for (const num of [1, 2, 3, 1, 4]) await charge(limiter, num);
  await limiter.runOnce();
  expect(looks.at(-1)).toEqual([3, 1, 4]);
  clock.steadyMs = 61_000;
  await charge(limiter, 4);
  await limiter.runOnce();
  expect(looks.at(-1)).toEqual([4]);
});

test.each([
  ['evenly', 1, 1],
  ['almost all to one of them', 8, 1],
  ['all to one of them', 1, 0],
])(
  'processes share a limit by what comes to each: in all it is the limit, however the traffic is spread (%s)',
  async (_how, a, b) => {
    const { start, clock } = stage({ 1: { events_per_second: 100, burst_events: 20 } });
    const [one, two] = [start('a'), start('b')];
    await two.charge([{ tenant: tenant(1), events: 1, bytes: 0 }]);
    let passed = 0;
    const seconds = 10;
    for (let ms = 0; ms < seconds * 1000; ms++) {
      clock.steadyMs = ms;
      for (let i = 0; i < a; i++) if ((await charge(one, 1)) === null) passed++;
      for (let i = 0; i < b; i++) if ((await charge(two, 1)) === null) passed++;
      // Each at its own time.
      if (ms % 1_000 === 300) await one.runOnce();
      if (ms % 1_000 === 800) await two.runOnce();
    }
    expect(passed).toBeGreaterThan(100 * seconds * 0.9);
    expect(passed).toBeLessThan(100 * seconds * 1.1 + 20);
  },
);
