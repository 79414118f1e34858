import { expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { Breaker, countsAsFailure } from './breaker.ts';
import { BreakerRig } from './fixtures/breaker-rig.ts';

const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
const answer = (status: number, headers: Record<string, string> = {}): Outcome => ({
  kind: status < 300 ? 'delivered' : 'rejected',
  response: { status, headers, body: new Uint8Array(), truncated: false },
  timing,
});

test.each([
  [answer(204), false],
  [answer(200, { 'webhook-delivery': 'disable' }), false],
  [answer(500), true],
  [answer(302), true],
  [answer(404), true],
  [answer(429, { 'retry-after': '5' }), true],
  [answer(400, { 'webhook-delivery': 'abort-message' }), true],
  [answer(400, { 'webhook-delivery': 'disabled' }), true],
  [answer(410), null],
  [answer(400, { 'webhook-delivery': 'disable' }), null],
  [answer(500, { 'webhook-delivery': 'abort-message,  Disable' }), null],
  [{ kind: 'unreachable', reason: 'timeout', detail: '', timing }, true],
  [{ kind: 'blocked', detail: '', timing }, null],
  [{ kind: 'skipped', reason: 'endpoint_deleted' }, null],
] satisfies [Outcome, boolean | null][])('of %j a breaker thinks %s', (outcome, failed) => {
  expect(countsAsFailure(outcome)).toBe(failed);
});

test('a new breaker lets the whole cap through and has nothing to save', () => {
  const rig = new BreakerRig();
  expect([rig.phase, rig.allowance, rig.breaker.probeAtMs, rig.breaker.save()]).toEqual(['closed', 16, null, null]);
});

test('the tenth failure in a row opens it, and a success in between starts the count anew', () => {
  const rig = new BreakerRig();
  for (let i = 0; i < 9; i++) expect(rig.record(false)).toBeNull();
  rig.nowMs += 3_600_000;
  expect(rig.record(true)).toBeNull();
  rig.nowMs += 3_600_000;
  for (let i = 0; i < 9; i++) expect(rig.record(false)).toBeNull();
  const transition = rig.record(false);
  expect(transition).toEqual({ kind: 'opened', untilMs: rig.nowMs + 30_000, reason: 'failures_in_a_row', openings: 1 });
  expect([rig.phase, rig.allowance, rig.breaker.probeAtMs]).toEqual(['open', 0, rig.nowMs + 30_000]);
});

test('failures in a row count however far apart they are', () => {
  const rig = new BreakerRig();
  for (let i = 0; i < 9; i++) {
    expect(rig.record(false)).toBeNull();
    rig.nowMs += 86_400_000;
  }
  expect(rig.record(false)).toMatchObject({ kind: 'opened', reason: 'failures_in_a_row' });
});

test('half of 20 attempts within a minute opens it, not of 19', () => {
  const rig = new BreakerRig();
  for (let i = 0; i < 19; i++) {
    expect(rig.record(i % 2 === 0)).toBeNull();
    rig.nowMs += 2_000;
  }
  expect(rig.record(false)).toMatchObject({ kind: 'opened', reason: 'failure_rate' });
});

test('less than half never opens it, and neither does a success', () => {
  const rig = new BreakerRig();
  for (let i = 0; i < 300; i++) expect(rig.record(i % 9 < 5)).toBeNull();
  const failedBefore = new BreakerRig();
  for (let i = 0; i < 18; i++) failedBefore.record(i % 9 === 8);
  for (let i = 0; i < 5; i++) expect(failedBefore.record(true)).toBeNull();
  expect(failedBefore.phase).toBe('closed');
});

test.each([
  ['is not forgotten before 55 s', 55_000, 'failure_rate'],
  ['does not count after 60 s', 60_000, null],
])('an attempt %s', (_title, ms, reason) => {
  for (let offset = 0; offset < 5_000; offset += 499) {
    const rig = new BreakerRig();
    rig.nowMs += offset;
    for (let i = 0; i < 18; i++) rig.record(i % 2 === 0);
    rig.nowMs += ms;
    rig.record(true);
    expect(rig.record(false)?.kind).toBe(reason === null ? undefined : 'opened');
  }
});

test('a clock that steps back, by little or by hours, keeps no attempt in the window for more than its minute', () => {
  for (const backMs of [1, 4_999, 20_000, 3_600_000]) {
    const rig = new BreakerRig();
    for (let i = 0; i < 18; i++) rig.record(i % 2 === 0);
    rig.nowMs -= backMs;
    rig.record(true);
    rig.nowMs += 60_000 + Math.min(backMs, 60_000);
    expect([rig.record(false), rig.record(true), rig.record(false)]).toEqual([null, null, null]);
  }
});

test('what it holds against an endpoint is saved, and nothing is once the endpoint has recovered', () => {
  const rig = new BreakerRig();
  rig.record(false);
  rig.record(true);
  expect(rig.breaker.save()).toMatchObject({ failuresInARow: 0, recent: [[expect.any(Number), 2, 1]] });
  rig.nowMs += 60_000;
  rig.record(true);
  expect(rig.breaker.save()).toBeNull();
  rig.open();
  rig.recover();
  expect(rig.breaker.save()).toMatchObject({ state: { phase: 'closed', sinceMs: rig.nowMs }, openings: 1 });
  rig.nowMs += 600_000;
  rig.record(true);
  expect(rig.breaker.save()).toBeNull();
});

test('each opening without recovery doubles the time, from 30 s to 10 min', () => {
  const rig = new BreakerRig();
  const opened = Array.from({ length: 8 }, () => rig.open().untilMs - rig.nowMs);
  expect(opened).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
});

test('the time is spread by at most 10 % either way', () => {
  for (const [random, openMs] of [
    [0, 27_000],
    [0.999999, 33_000],
  ] as const) {
    const rig = new BreakerRig();
    rig.random = () => random;
    expect(rig.open().untilMs - rig.nowMs).toBe(openMs);
  }
});

test('a failed probe opens it again, longer, and says so', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  expect(rig.record(false)).toEqual({
    kind: 'opened',
    untilMs: rig.nowMs + 60_000,
    reason: 'probe_failed',
    openings: 2,
  });
  expect(rig.allowance).toBe(0);
});

test('nothing goes out before the time is over, and then one probe', () => {
  const rig = new BreakerRig();
  const { untilMs } = rig.open();
  rig.nowMs = untilMs - 1;
  expect([rig.phase, rig.allowance]).toEqual(['open', 0]);
  rig.nowMs = untilMs;
  expect([rig.phase, rig.allowance, rig.breaker.probeAtMs]).toEqual(['half_open', 1, untilMs]);
  rig.nowMs += 86_400_000;
  expect([rig.phase, rig.allowance]).toEqual(['half_open', 1]);
});

test('after the probe the ramp allows 1, 2, 4, 8, each for as many successes, and then it is closed', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  const allowed: number[] = [];
  while (rig.phase !== 'closed') {
    rig.record(true);
    allowed.push(rig.allowance);
  }
  expect(allowed).toEqual([1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 16]);
});

test.each([
  [1, 1],
  [2, 2],
  [3, 4],
  [5, 8],
  [16, 16],
  [17, 32],
])('with a cap of %i it closes after %i successes', (cap, successes) => {
  const rig = new BreakerRig(cap);
  rig.open();
  expect(rig.recover()).toBe(successes);
  expect(rig.allowance).toBe(cap);
});

test('the ramp tells each of its steps, and at last that it is closed', () => {
  const rig = new BreakerRig(4);
  rig.open();
  rig.waitForProbe();
  const told = Array.from({ length: 4 }, () => rig.record(true));
  expect(told).toEqual([
    { kind: 'ramping', allowance: 1 },
    { kind: 'ramping', allowance: 2 },
    null,
    { kind: 'closed' },
  ]);
});

test('a ramp lasts a minute at the most, whatever comes meanwhile', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  rig.record(true);
  rig.nowMs += 50_000;
  expect(rig.record(true)).toEqual({ kind: 'ramping', allowance: 2 });
  rig.nowMs += 9_999;
  expect([rig.phase, rig.allowance, rig.breaker.endRamp(rig.nowMs)]).toEqual(['ramp', 2, null]);
  rig.nowMs += 1;
  const restored = Breaker.restore(rig.breaker.save());
  expect([rig.phase, rig.allowance]).toEqual(['closed', 16]);
  expect(rig.breaker.endRamp(rig.nowMs)).toEqual({ kind: 'closed' });
  expect(rig.breaker.endRamp(rig.nowMs)).toBeNull();
  expect([restored.phaseAt(rig.nowMs), restored.phaseAt(rig.nowMs - 1)]).toEqual(['closed', 'ramp']);
});

test.each([true, false])(
  'the first result (%s) after the time of a ramp closes it, and counts like any other',
  (success) => {
    const rig = new BreakerRig();
    rig.open();
    rig.waitForProbe();
    rig.record(true);
    rig.nowMs += 60_000;
    expect(rig.record(success)).toEqual({ kind: 'closed' });
    expect(rig.breaker.save()?.failuresInARow).toBe(success ? 0 : 1);
  },
);

test('a ramp that an older version saved goes by its successes, and by time from its next step on', () => {
  const state = { phase: 'ramp', allowance: 1, successes: 0 } as const;
  const rig = new BreakerRig(16, Breaker.restore({ state, openings: 1, failuresInARow: 0, recent: [] }));
  rig.nowMs += 3_600_000;
  expect(rig.phase).toBe('ramp');
  rig.record(true);
  rig.nowMs += 60_000;
  expect(rig.phase).toBe('closed');
});

test('in the ramp it opens again, longer, once half has failed since the probe, or 10 in a row', () => {
  for (let successes = 1; successes < 16; successes++) {
    const rig = new BreakerRig();
    rig.open();
    rig.waitForProbe();
    for (let i = 0; i < successes; i++) rig.record(true);
    for (let failures = 1; failures < Math.min(successes, 10); failures++) expect(rig.record(false)).toBeNull();
    expect(rig.record(false)).toEqual({
      kind: 'opened',
      untilMs: rig.nowMs + 60_000,
      reason: 'ramp_failed',
      openings: 2,
    });
    expect(rig.allowance).toBe(0);
  }
});

test('a failure in the ramp halves the step, whose successes are then to be had anew', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  while (rig.allowance < 8) rig.record(true);
  const allowed: number[] = [];
  for (const success of [true, false, true, true, true, true, false, false, false, true]) {
    rig.record(success);
    allowed.push(rig.allowance);
  }
  expect(allowed).toEqual([8, 4, 4, 4, 4, 8, 4, 2, 1, 2]);
});

test('an endpoint that fails now and then is closed again within a minute of its probe', () => {
  const rig = new BreakerRig(64);
  rig.open();
  rig.waitForProbe();
  const probedAtMs = rig.nowMs;
  for (let i = 0; rig.phase !== 'closed'; i++) {
    expect(rig.phase).not.toBe('open');
    rig.record(i % 4 !== 3);
    rig.nowMs += 100;
  }
  expect(rig.nowMs - probedAtMs).toBeLessThanOrEqual(60_000);
});

test('what a ramp has seen is kept, so that the next owner of the lane judges by it too', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  while (rig.allowance < 4) rig.record(true);
  const other = new BreakerRig(16, Breaker.restore(JSON.parse(JSON.stringify(rig.breaker.save()))));
  other.nowMs = rig.nowMs;
  expect([other.record(false), other.phase]).toEqual([null, 'ramp']);
});

test('a cap that shrinks during the ramp holds at once, and ends the ramp', () => {
  const rig = new BreakerRig(64);
  rig.open();
  rig.waitForProbe();
  while (rig.allowance < 16) rig.record(true);
  rig.cap = 3;
  expect(rig.allowance).toBe(3);
  expect([rig.record(true), rig.record(true), rig.record(true)]).toEqual([null, null, { kind: 'closed' }]);
});

test('closed again, its counters are clean', () => {
  const rig = new BreakerRig();
  for (let i = 0; i < 19; i++) rig.record(i % 2 === 0);
  expect(rig.record(false)?.kind).toBe('opened');
  rig.nowMs += 33_000;
  rig.recover();
  for (let i = 0; i < 9; i++) expect(rig.record(false)).toBeNull();
  rig.record(true);
  for (let i = 0; i < 9; i++) expect(rig.record(false)).toBeNull();
});

test('the doubling goes on after it closed, until it stayed closed for 10 min', () => {
  for (const [closedMs, openMs] of [
    [0, 60_000],
    [599_999, 60_000],
    [600_000, 30_000],
  ] as const) {
    const rig = new BreakerRig();
    rig.open();
    rig.recover();
    rig.nowMs += closedMs;
    expect(rig.open().untilMs - rig.nowMs).toBe(openMs);
  }
});

test('results of requests that began before it opened change nothing, whatever they are and whenever they come', () => {
  const rig = new BreakerRig();
  const before = rig.breaker.generation;
  rig.open();
  for (const step of [
    () => {},
    () => rig.waitForProbe(),
    () => rig.record(true),
    () => rig.record(true),
    () => rig.recover(),
  ]) {
    step();
    const saved = rig.breaker.save();
    for (const success of [true, false]) for (let i = 0; i < 30; i++) expect(rig.record(success, before)).toBeNull();
    expect(rig.breaker.save()).toEqual(saved);
  }
});

test('what was left of a failed ramp does not spoil the next probe', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  while (rig.allowance < 4) rig.record(true);
  const ofRamp = rig.breaker.generation;
  for (let failures = 1; failures < 4; failures++) rig.record(false);
  expect(rig.record(false)).toMatchObject({ kind: 'opened', openings: 2 });
  expect(rig.record(false, ofRamp)).toBeNull();
  rig.waitForProbe();
  expect(rig.record(true, ofRamp)).toBeNull();
  expect(rig.phase).toBe('half_open');
});

test('a reset closes it from every phase, forgets its openings, and tells whether it was needed', () => {
  for (const successes of [null, 0, 1, 5]) {
    const rig = new BreakerRig();
    rig.open();
    rig.open();
    if (successes !== null) rig.waitForProbe();
    for (let i = 0; i < (successes ?? 0); i++) rig.record(true);
    const late = rig.breaker.generation;
    expect(rig.breaker.reset()).toEqual({ kind: 'closed' });
    expect([rig.phase, rig.allowance, rig.breaker.save()]).toEqual(['closed', 16, null]);
    for (let i = 0; i < 20; i++) expect(rig.record(false, late)).toBeNull();
    expect(rig.open().openings).toBe(1);
  }
  expect(new Breaker().reset()).toBeNull();
});

test('a probe that was lost in a crash blocks nothing: another is allowed, and counts', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  expect(rig.allowance).toBe(1);
  rig.breaker = Breaker.restore(JSON.parse(JSON.stringify(rig.breaker.save())));
  expect([rig.phase, rig.allowance]).toEqual(['half_open', 1]);
  expect(rig.record(true)).toEqual({ kind: 'ramping', allowance: 1 });
});

test('a clock that steps back by hours does not shut the endpoint for hours, and the probe still counts', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.nowMs -= 3_600_000;
  expect([rig.phase, rig.allowance]).toEqual(['half_open', 1]);
  expect(rig.record(true)).toEqual({ kind: 'ramping', allowance: 1 });
});

test('a clock that steps back by hours does not prolong a ramp by hours, nor how long openings are held against the endpoint', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  rig.record(true);
  rig.nowMs -= 3_600_000;
  expect([rig.phase, rig.allowance]).toEqual(['closed', 16]);
  rig.recover();
  rig.open();
  expect(rig.breaker.openings).toBe(2);
  rig.recover();
  rig.nowMs -= 3_600_000;
  rig.open();
  expect(rig.breaker.openings).toBe(1);
});

test('a clock that steps back by less than the time of a ramp has it last no longer than twice that', () => {
  const rig = new BreakerRig();
  rig.open();
  rig.waitForProbe();
  rig.record(true);
  rig.nowMs -= 59_999;
  expect(rig.phase).toBe('ramp');
  rig.nowMs += 119_999;
  expect(rig.phase).toBe('closed');
});

test('the longest opening is waited for to its end', () => {
  const rig = new BreakerRig();
  rig.random = () => 0.999999999;
  for (let i = 0; i < 9; i++) rig.open();
  expect(rig.breaker.probeAtMs! - rig.nowMs).toBe(660_000);
  expect(rig.allowance).toBe(0);
});
