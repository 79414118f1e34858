import { expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { decide } from './decide.ts';
import { DAY_MS, defaultSchedule } from './retry-policy.ts';

const timing = { dnsMs: null, connectMs: null, firstByteMs: 1, totalMs: 1 };
const context = { step: 0, schedule: [0, 1000, 2000], random: () => 0.5, nowMs: 0, isOurs: false, isOutdated: false };
const answer = (status: number, headers: Record<string, string> = {}): Outcome => ({
  kind: status >= 200 && status <= 299 ? 'delivered' : 'rejected',
  response: { status, headers, body: new Uint8Array(0), truncated: false },
  timing,
});

test('a 2xx is done, whatever its headers say, and may disable the endpoint', () => {
  expect(decide(answer(200), context)).toEqual({ kind: 'done' });
  expect(decide(answer(204, { 'webhook-delivery': 'disable' }), context)).toEqual({
    kind: 'done',
    disable: 'The receiver answered with webhook-delivery: disable.',
  });
});

test('any other answer is retried by the schedule', () => {
  for (const status of [300, 301, 400, 404, 429, 500, 503, 999]) {
    expect(decide(answer(status), context), String(status)).toEqual({ kind: 'retry', delayMs: 1000 });
  }
});

test('a receiver that the endpoint had before does not disable it: what it refused goes to the one that it has', () => {
  const outdated = { ...context, isOutdated: true };
  for (const each of [answer(410), answer(500, { 'webhook-delivery': 'disable' })])
    expect(decide(each, outdated)).toEqual({ kind: 'retry', delayMs: 1000 });
  expect(decide(answer(200, { 'webhook-delivery': 'disable' }), outdated)).toEqual({ kind: 'done' });
});

test('a fault of our own egress puts a delivery off and takes nothing from its schedule', () => {
  const unreachable: Outcome = { kind: 'unreachable', reason: 'dns', detail: 'x', timing };
  expect(decide(unreachable, { ...context, step: 2, isOurs: true })).toEqual({ kind: 'postpone', delayMs: 7_500 });
});

test('the longer faults of ours go on for an endpoint, the later its deliveries are tried again, within five minutes', () => {
  const unreachable: Outcome = { kind: 'unreachable', reason: 'network', detail: 'x', timing };
  const delayAfter = (lastsMs: number, random: number) => {
    const decision = decide(unreachable, { ...context, isOurs: true, lastsMs, random: () => random });
    return 'delayMs' in decision ? decision.delayMs : null;
  };
  expect([0, 8_000, 60_000, 120_000, 3_600_000].map((lastsMs) => delayAfter(lastsMs, 0))).toEqual([
    5_000, 5_000, 15_000, 30_000, 150_000,
  ]);
  expect(delayAfter(3_600_000, 1)).toBe(300_000);
});

test('G2: what is put off for a fault of ours is put off no more when its schedule would not end before its event may be dropped', () => {
  const unreachable: Outcome = { kind: 'unreachable', reason: 'network', detail: 'x', timing };
  const at = (leftDays: number, step: number) =>
    decide(unreachable, {
      ...context,
      schedule: defaultSchedule,
      isOurs: true,
      step,
      leftMs: leftDays * DAY_MS,
      lastsMs: DAY_MS,
      random: () => 1,
    });
  // The schedule takes up to 3.8 days; a day is left for when it is dropped.
  expect([at(30, 0).kind, at(5, 0).kind, at(4.7, 0).kind]).toEqual(['postpone', 'postpone', 'retry']);
  expect([at(1.1, 9).kind, at(1, 9).kind]).toEqual(['postpone', 'dead_letter']);
  // So it ends in time, however long its attempts meet with nothing else.
  let leftDays = 30;
  for (let step = 0; ; ) {
    const decision = at(leftDays, step);
    if (decision.kind === 'dead_letter') break;
    leftDays -= ('delayMs' in decision ? decision.delayMs : Number.NaN) / DAY_MS;
    if (decision.kind === 'retry') step++;
  }
  expect(leftDays).toBeGreaterThan(0.99);
});

test('G2: the last attempt is made while the event is kept, whatever chance and Retry-After make of the schedule', () => {
  // Accepted as fitting into 30 days by its bare sum of 29 of them.
  const schedule = [0, ...Array(19).fill((29 * DAY_MS - 1) / 19)];
  // An hour before that, or, where the receiver asks for a time in that hour, early enough for an attempt that takes as long as one may.
  for (const [headers, leastMs] of [
    [{}, 3_600_000],
    [{ 'retry-after': '604800' }, 120_000],
  ] as [Record<string, string>, number][]) {
    for (const random of [() => 0.999999, () => 0, Math.random]) {
      let leftMs = 30 * DAY_MS;
      let attempts = 1;
      for (let step = 0; ; step++, attempts++) {
        const decision = decide(answer(503, headers), { ...context, schedule, step, random, leftMs });
        if (decision.kind === 'dead_letter') break;
        leftMs -= 'delayMs' in decision ? decision.delayMs : Number.NaN;
      }
      expect(leftMs).toBeGreaterThanOrEqual(leastMs);
      expect(attempts).toBeGreaterThan(9);
    }
  }
});

test('where the schedule would go on after its event is dropped, a delivery is tried once more an hour before that, and not again', () => {
  const at = (leftMs: number) =>
    decide(answer(500), { ...context, schedule: [0, DAY_MS, DAY_MS], random: () => 0.5, leftMs });
  expect(at(DAY_MS + 3_600_000)).toEqual({ kind: 'retry', delayMs: DAY_MS });
  expect(at(DAY_MS)).toEqual({ kind: 'retry', delayMs: DAY_MS - 3_600_000 });
  // The attempt came a little before or after its time.
  for (const leftMs of [3_600_000 + 59_999, 3_600_000, 3_590_000, 0, -DAY_MS])
    expect(at(leftMs)).toEqual({ kind: 'dead_letter' });
});

test('in the last hour that its event is kept a delivery is still retried as long as the next attempt fits', () => {
  const at = (leftMs: number, delayMs: number) =>
    decide(answer(500), { ...context, schedule: [0, delayMs], random: () => 0.5, leftMs });
  expect(at(3_600_000, 5_000)).toEqual({ kind: 'retry', delayMs: 5_000 });
  expect(at(1_800_000, 300_000)).toEqual({ kind: 'retry', delayMs: 300_000 });
  // An attempt may take two minutes.
  expect(at(600_000, 480_000)).toEqual({ kind: 'retry', delayMs: 480_000 });
  expect(at(600_000, 480_001)).toEqual({ kind: 'dead_letter' });
  for (const leftMs of [120_000, 0, -DAY_MS]) expect(at(leftMs, 5_000)).toEqual({ kind: 'dead_letter' });
});

test('in the last hours that its event is kept no receiver is called before it asked to be, where an attempt fits after that', () => {
  const minute = 60_000;
  const at = (leftMinutes: number, asked: number, { base = 5_000, chance = 0 } = {}) =>
    decide(answer(503, { 'retry-after': String(asked) }), {
      ...context,
      schedule: [0, base],
      random: () => chance,
      leftMs: leftMinutes * minute,
    });
  expect(at(70, 1_800)).toEqual({ kind: 'retry', delayMs: 30 * minute });
  expect(at(59, 1_800)).toEqual({ kind: 'retry', delayMs: 30 * minute });
  // Also where the schedule says the same; and chance adds no more than fits.
  expect(at(70, 1_800, { base: 30 * minute, chance: 0.5 })).toEqual({ kind: 'retry', delayMs: 33 * minute });
  expect(at(70, 3_900, { chance: 1 })).toEqual({ kind: 'retry', delayMs: 68 * minute });
  expect(at(40, 2_160, { chance: 1 })).toEqual({ kind: 'retry', delayMs: 38 * minute });
  // What it asks for does not fit, or is over when it is called.
  expect(at(70, 4_081)).toEqual({ kind: 'retry', delayMs: 10 * minute });
  expect(at(70, 60, { base: 30 * minute })).toEqual({ kind: 'retry', delayMs: 10 * minute });
  expect(at(40, 2_281)).toEqual({ kind: 'dead_letter' });
  // What is beyond the clamp counts as the clamp.
  for (const asked of [86_400, 99_999_999])
    expect(at(24.5 * 60, asked)).toEqual({ kind: 'retry', delayMs: 24 * 60 * minute });
});

test('an exhausted schedule dead-letters', () => {
  expect(decide(answer(500), { ...context, step: 2 })).toEqual({ kind: 'dead_letter' });
  const unreachable: Outcome = { kind: 'unreachable', reason: 'dns', detail: 'x', timing };
  expect(decide(unreachable, { ...context, step: 2 })).toEqual({ kind: 'dead_letter' });
});

test('Retry-After puts the retry off', () => {
  expect(decide(answer(503, { 'retry-after': '60' }), { ...context, random: () => 0 })).toEqual({
    kind: 'retry',
    delayMs: 60_000,
  });
});

test('410 and webhook-delivery: disable disable the endpoint', () => {
  expect(decide(answer(410), context)).toMatchObject({ kind: 'disable' });
  expect(decide(answer(400, { 'webhook-delivery': ' Disable ' }), context)).toMatchObject({ kind: 'disable' });
  expect(decide(answer(500, { 'webhook-delivery': 'abort-message, disable' }), context)).toMatchObject({
    kind: 'disable',
  });
});

test('webhook-delivery: abort-message gives up this delivery alone', () => {
  expect(decide(answer(503, { 'webhook-delivery': 'abort-message', 'retry-after': '5' }), context)).toEqual({
    kind: 'dead_letter',
  });
});

test('an unreachable or blocked endpoint is retried', () => {
  expect(decide({ kind: 'unreachable', reason: 'timeout', detail: 'x', timing }, context)).toEqual({
    kind: 'retry',
    delayMs: 1000,
  });
  expect(decide({ kind: 'blocked', detail: 'x', timing }, context)).toEqual({ kind: 'retry', delayMs: 1000 });
});

test('a skipped delivery is cancelled', () => {
  expect(decide({ kind: 'skipped', reason: 'endpoint_deleted' }, context)).toEqual({ kind: 'cancel' });
});
