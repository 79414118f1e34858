import { expect, test } from 'vitest';
import type { Outcome, UnreachableReason } from '../domain/outcome.ts';
import { EgressWatch } from './egress-watch.ts';

const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
const failed = (reason: UnreachableReason, connectMs: number | null = null): Outcome => ({
  kind: 'unreachable',
  reason,
  detail: '',
  ...(connectMs === null ? {} : { wasConnected: true }),
  timing: { ...timing, connectMs },
});
const timedOutOnReused: Outcome = { kind: 'unreachable', reason: 'timeout', detail: '', wasConnected: true, timing };
const answered = (status: number): Outcome => ({
  kind: status < 300 ? 'delivered' : 'rejected',
  response: { status, headers: {}, body: new Uint8Array(), truncated: false },
  timing,
});

/** An endpoint of one of eight tenants. */
const at = (num: number) => ({ num, tenantNum: num % 8 });

/** Endpoints from..to, one after another. @returns the last verdict. */
function noteAll(watch: EgressWatch, [from, to]: [number, number], outcome: Outcome, steadyMs = 0) {
  let last = watch.note(at(from), outcome, steadyMs);
  for (let num = from + 1; num <= to; num++) last = watch.note(at(num), outcome, steadyMs);
  return last;
}

test.each([
  ['dns', failed('dns')],
  ['network', failed('network')],
  ['connect_timeout', failed('timeout')],
])('when the tenth of ten endpoints fails by %s, that is held against none of them', (fault, outcome) => {
  const watch = new EgressWatch();
  expect(noteAll(watch, [1, 9], outcome)).toMatchObject({ isOurs: false, change: null });
  expect(watch.note(at(10), outcome, 0)).toMatchObject({
    isOurs: true,
    change: { kind: 'held', fault, failing: 10, endpoints: 10 },
  });
  expect(watch.note(at(1), outcome, 0)).toMatchObject({ isOurs: true, change: null });
});

test('one fault of the egress proxy is ours, holds what is not reached, and is never got used to', () => {
  const watch = new EgressWatch();
  const outcome: Outcome = { kind: 'unreachable', reason: 'network', detail: '', ours: 'proxy', timing };
  expect(watch.note(at(1), outcome, 0)).toMatchObject({ isOurs: true, change: { kind: 'held', fault: 'proxy' } });
  expect([watch.isHeldFor(1), watch.isHeldFor(2)]).toEqual([true, false]);
  const anHour = 3_600_000;
  expect(watch.note(at(2), outcome, anHour)).toMatchObject({ isOurs: true, change: null });
  expect(watch.isHeldFor(2)).toBe(true);
  const released = noteAll(watch, [1, 2], answered(200), anHour + 1);
  expect([released.isOurs, watch.isHeldFor(2)]).toEqual([false, false]);
});

test('it is told for how long an endpoint has met with faults of ours and nothing else', () => {
  const watch = new EgressWatch();
  noteAll(watch, [2, 20], answered(200));
  const outcome: Outcome = { kind: 'unreachable', reason: 'network', detail: '', ours: 'proxy', timing };
  const lasts = (steadyMs: number) => watch.note(at(1), outcome, steadyMs).lastsMs;
  expect([0, 5_000, 600_000].map(lasts)).toEqual([0, 5_000, 600_000]);
  watch.note(at(1), answered(500), 601_000);
  expect([602_000, 603_000].map(lasts)).toEqual([0, 1_000]);
  // Not tried for so long, it may have been well in between.
  expect([603_000 + 1_200_000, 603_000 + 1_201_000].map(lasts)).toEqual([0, 1_000]);
});

test('a fault of the egress proxy that few meet is ours too, and holds nobody back', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 20], answered(200));
  const outcome: Outcome = { kind: 'unreachable', reason: 'network', detail: '', ours: 'proxy', timing };
  expect(watch.note(at(1), outcome, 0)).toMatchObject({ isOurs: true, change: null });
  expect(watch.isHeldFor(1)).toBe(false);
});

test.each([
  ['refuse connections', failed('refused')],
  ['reset them', failed('reset')],
  ['have a bad certificate', failed('tls')],
  ['are connected and do not answer', failed('timeout', 3)],
  ['have a connection from before and do not answer', timedOutOnReused],
  ['answer 500', answered(500)],
])('endpoints that %s are at fault themselves, however many they are', (_what, outcome) => {
  const watch = new EgressWatch();
  expect(noteAll(watch, [1, 1_000], outcome)).toMatchObject({ isOurs: false, change: null });
});

test('where new connections lead nowhere, those from before on which nothing comes are part of that, and keep nobody from finding it out', () => {
  const watch = new EgressWatch();
  expect(noteAll(watch, [1, 100], timedOutOnReused)).toMatchObject({ isOurs: false, change: null });
  const held = { kind: 'held', fault: 'connect_timeout' };
  expect(noteAll(watch, [101, 110], failed('timeout'))).toMatchObject({ isOurs: true, change: held });
  expect(watch.note(at(1), timedOutOnReused, 0)).toMatchObject({ isOurs: true, change: null });
  expect(watch.isHeldFor(1)).toBe(false);
});

test('one endpoint that fails often is one endpoint', () => {
  const watch = new EgressWatch();
  for (let i = 0; i < 100; i++) expect(watch.note(at(1), failed('dns'), 0).isOurs).toBe(false);
});

test('where one in four is reached, the others are at fault themselves', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 25], answered(200));
  expect(noteAll(watch, [26, 100], failed('dns')).isOurs).toBe(false);
});

test('other failures than the one that is held count as ever, and endpoints that are reached or fail otherwise are free', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 20], failed('dns'));
  expect(watch.note(at(1), failed('refused'), 0).isOurs).toBe(false);
  expect(watch.note(at(2), failed('network'), 0).isOurs).toBe(false);
  expect([1, 2, 3].map((num) => watch.isHeldFor(num))).toEqual([false, false, true]);
});

test('an endpoint that was not tried lately is free, so that its success can end the hold', () => {
  const watch = new EgressWatch();
  for (let num = 1; num <= 10; num++) watch.note({ num, tenantNum: 1 }, failed('timeout'), 0);
  expect([watch.isHeldFor(1), watch.isHeldFor(99)]).toEqual([true, false]);
  watch.note({ num: 98, tenantNum: 2 }, answered(200), 1_000);
  const { change } = watch.note({ num: 99, tenantNum: 3 }, answered(200), 1_000);
  expect([change?.kind, watch.isHeldFor(1)]).toEqual(['released', false]);
});

test('a failure of half a minute ago does not have its endpoint tried with care', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 20], failed('dns'));
  noteAll(watch, [2, 20], failed('dns'), 30_000);
  expect([watch.isHeldFor(1), watch.isHeldFor(2)]).toEqual([false, true]);
});

test('it is over, and told once, when most of them are reached again', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 20], failed('dns'));
  const changes = Array.from({ length: 20 }, (_, i) => watch.note(at(i + 1), answered(200), 1_000).change);
  expect(changes.filter((change) => change !== null)).toEqual([
    { kind: 'released', fault: 'dns', failing: expect.any(Number), endpoints: 20 },
  ]);
});

test('what was seen half a minute ago does not count any more', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 9], failed('dns'), 0);
  expect(watch.note(at(10), failed('dns'), 30_000).isOurs).toBe(false);
});

test('after ten minutes it is how things are, until it has passed once', () => {
  const watch = new EgressWatch();
  noteAll(watch, [1, 20], failed('dns'), 0);
  for (let ms = 10_000; ms < 600_000; ms += 10_000)
    expect(noteAll(watch, [1, 20], failed('dns'), ms).isOurs).toBe(true);
  expect(noteAll(watch, [1, 20], failed('dns'), 600_000).isOurs).toBe(false);
  noteAll(watch, [1, 20], answered(200), 610_000);
  expect(noteAll(watch, [1, 20], failed('dns'), 615_000).isOurs).toBe(true);
});

test('a tenant with a thousand dead endpoints puts no other tenant’s deliveries on hold', () => {
  const watch = new EgressWatch();
  for (let tenantNum = 1; tenantNum <= 3; tenantNum++) watch.note({ num: tenantNum, tenantNum }, answered(200), 0);
  for (let num = 100; num < 1_100; num++)
    expect(watch.note({ num, tenantNum: 9 }, failed('dns'), 0).isOurs).toBe(false);
});
