import { expect, test } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { Gate, type GateLimits, type GateNews } from './gate.ts';
import { viewGate } from './gate-view.ts';
import { nextDelayMs } from './retry-policy.ts';

const START = Date.UTC(2026, 10, 26, 12);
const DAY_MS = 24 * 3_600_000;
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };

function answer(status: number, headers: Record<string, string> = {}): Outcome {
  const response = { status, headers, body: new Uint8Array(), truncated: false };
  return { kind: status < 300 ? 'delivered' : 'rejected', response, timing };
}

/** A gate with a clock that moves only when told, and requests that are answered one after another. */
class Rig {
  nowMs = START;
  gate: Gate;
  limits: GateLimits;

  constructor(limits: Partial<GateLimits> = {}) {
    this.limits = { cap: 8, rate: null, ...limits };
    this.gate = Gate.restore(null, this.limits, START);
  }

  pass(outcome: Outcome): readonly GateNews[] {
    return this.gate.finish(outcome, this.gate.begin(this.nowMs), { nowMs: this.nowMs, random: () => 0.5 });
  }

  passMany(outcome: Outcome, count: number): readonly GateNews[] {
    return Array.from({ length: count }, () => this.pass(outcome)).flat();
  }

  /** What the next owner of the lane starts from. */
  handOver(): void {
    this.gate = Gate.restore(JSON.parse(JSON.stringify(this.gate.save(this.nowMs))), this.limits, this.nowMs);
  }

  /** Fails once a day, under another owner each time. @returns the news of the last one */
  failDaily(outcome: Outcome, days: number): readonly GateNews[] {
    let news: readonly GateNews[] = [];
    for (let day = 0; day < days; day++) {
      this.nowMs += DAY_MS;
      news = this.pass(outcome);
      this.handOver();
    }
    return news;
  }

  get closedUntilMs() {
    return this.gate.closedUntilMs(this.nowMs);
  }

  /** How many requests may be under way. */
  get room(): number {
    let inFlight = 0;
    while (inFlight < this.gate.allowance(this.nowMs)) inFlight++;
    return inFlight;
  }
}

test('ten failures in a row close the gate for half a minute, told once, also to the next owner of the lane', () => {
  const rig = new Rig();
  const news = rig.passMany(answer(500), 10);
  expect(news).toEqual([{ kind: 'breaker_opened', untilMs: START + 30_000, reason: 'failures_in_a_row', openings: 1 }]);
  expect(rig.gate.isUrgent).toBe(true);
  rig.handOver();
  expect([rig.closedUntilMs, rig.room]).toEqual([START + 30_000, 0]);
});

test('after the time one probe goes, then 1, 2, 4 … up to the cap, and the closing is told', () => {
  const rig = new Rig();
  rig.passMany(answer(500), 10);
  rig.nowMs += 30_000;
  const rooms = [rig.room];
  const news: GateNews[] = [];
  while (rig.room < 8) {
    news.push(...rig.pass(answer(200)));
    if (rig.room !== rooms.at(-1)) rooms.push(rig.room);
  }
  expect(rooms).toEqual([1, 2, 4, 8]);
  expect(news).toEqual([{ kind: 'breaker_closed' }]);
});

test('a probe that fails, and a ramp that fails, close it again without more news', () => {
  const rig = new Rig();
  rig.passMany(answer(500), 10);
  rig.nowMs += 30_000;
  expect(rig.pass(answer(500))).toEqual([]);
  expect(rig.closedUntilMs).toBe(rig.nowMs + 60_000);
  rig.nowMs += 60_000;
  rig.passMany(answer(200), 3);
  expect(rig.passMany(answer(500), 3)).toEqual([]);
  expect(rig.closedUntilMs).toBe(rig.nowMs + 120_000);
});

test('that a quiet endpoint is closed again is told when the time of its ramp is over, and is to be saved', () => {
  const rig = new Rig();
  rig.passMany(answer(500), 10);
  rig.nowMs += 30_000;
  rig.pass(answer(200));
  rig.nowMs += 59_999;
  rig.gate.markSaved();
  expect([rig.gate.tick(rig.nowMs), rig.gate.isUrgent, rig.room]).toEqual([[], false, 1]);
  rig.nowMs += 1;
  expect([rig.gate.tick(rig.nowMs), rig.gate.isUrgent, rig.room]).toEqual([[{ kind: 'breaker_closed' }], true, 8]);
  expect(rig.gate.tick(rig.nowMs)).toEqual([]);
});

test('an endpoint that is enabled again gets one probe, then the ramp, and nobody is told that a breaker closed', () => {
  const rig = new Rig();
  rig.gate = Gate.restore(Gate.toBeProbed, rig.limits, START);
  expect([rig.closedUntilMs, rig.room]).toEqual([null, 1]);
  expect(rig.passMany(answer(200), 8)).toEqual([]);
  expect(rig.room).toBe(8);
});

test.each([429, 502, 503, 504])(
  'Retry-After of a %i stops the whole endpoint until then, also for the next owner',
  (status) => {
    const rig = new Rig();
    expect(rig.pass(answer(status, { 'retry-after': '120' }))).toEqual([
      { kind: 'throttled', untilMs: START + 120_000 },
    ]);
    rig.handOver();
    expect(rig.closedUntilMs).toBe(START + 120_000);
    rig.nowMs += 120_000;
    expect([rig.closedUntilMs, rig.gate.tokenInMs(rig.nowMs)]).toEqual([null, 0]);
  },
);

test.each([
  ['99999999', DAY_MS],
  ['Thu, 26 Nov 2026 12:05:00 GMT', 300_000],
  ['5, 60', 60_000],
])('Retry-After: %s is clamped to a day and read as RFC 9110 says', (header, waitMs) => {
  const rig = new Rig();
  rig.pass(answer(503, { 'retry-after': header }));
  expect(rig.closedUntilMs).toBe(START + waitMs);
});

test.each(['1', '60', '86399', '86400', '99999999', 'Fri, 27 Nov 2026 12:00:00 GMT'])(
  'a delivery that was answered Retry-After: %s is not due while its endpoint is paused by that',
  (header) => {
    const rig = new Rig();
    rig.pass(answer(503, { 'retry-after': header }));
    const pausedMs = (rig.gate.closedUntilMs(START) ?? START) - START;
    for (const delay of [0, 5_000, 20 * 3_600_000])
      for (const r of [0, 0.5, 0.999999]) {
        const context = { schedule: [0, delay], step: 0, random: () => r, retryAfter: header, nowMs: START };
        expect(nextDelayMs(context)).toBeGreaterThanOrEqual(pausedMs);
      }
  },
);

test.each(['0', '-1', '1.5', 'soon', 'Thu, 26 Nov 2026 11:00:00 GMT'])(
  'Retry-After: %s stops nothing, and the answer narrows the window as one without it',
  (header) => {
    const rig = new Rig();
    expect(rig.pass(answer(503, { 'retry-after': header }))).toEqual([]);
    expect([rig.closedUntilMs, rig.room]).toEqual([null, 4]);
  },
);

test('a Retry-After of another status is for that delivery alone', () => {
  const rig = new Rig();
  rig.pass(answer(500, { 'retry-after': '120' }));
  expect([rig.closedUntilMs, rig.room]).toEqual([null, 8]);
});

test('a pause of a second is waited for in place rather than told', () => {
  const rig = new Rig();
  expect(rig.pass(answer(429, { 'retry-after': '1' }))).toEqual([]);
  expect([rig.closedUntilMs, rig.gate.tokenInMs(START)]).toEqual([null, 1_000]);
});

test('"too much" halves what is under way once for all that were under way together; success widens it again', () => {
  const rig = new Rig();
  const together = Array.from({ length: 4 }, () => rig.gate.begin(START));
  for (const passage of together) rig.gate.finish(answer(503), passage, { nowMs: START, random: () => 0.5 });
  expect(rig.room).toBe(4);
  rig.pass(answer(503));
  expect(rig.room).toBe(2);
  rig.passMany(answer(200), 60);
  expect(rig.room).toBe(8);
});

test('a rate limit holds across a hand-over: the tokens that were taken are gone', () => {
  const rig = new Rig({ rate: { perSecond: 50, burst: 10 } });
  for (let i = 0; i < 10; i++) {
    expect(rig.gate.tokenInMs(START)).toBe(0);
    rig.gate.begin(START);
  }
  expect([rig.gate.tokenInMs(START), rig.gate.isDirty]).toEqual([20, true]);
  rig.handOver();
  expect(rig.gate.tokenInMs(START)).toBe(20);
});

test('a rate limit that is changed keeps the tokens, one that is taken away asks for none', () => {
  const rig = new Rig({ rate: { perSecond: 1, burst: 2 } });
  rig.gate.begin(START);
  rig.gate.begin(START);
  rig.gate.setLimits({ cap: 8, rate: { perSecond: 10, burst: 5 } }, START);
  expect(rig.gate.tokenInMs(START)).toBe(100);
  rig.gate.setLimits({ cap: 8, rate: null }, START);
  expect(rig.gate.tokenInMs(START)).toBe(0);
});

test('a throttle outlives a change of the rate limit', () => {
  const rig = new Rig();
  rig.pass(answer(503, { 'retry-after': '60' }));
  rig.gate.setLimits({ cap: 8, rate: { perSecond: 10, burst: 5 } }, START);
  expect(rig.closedUntilMs).toBe(START + 60_000);
  rig.gate.setLimits({ cap: 8, rate: null }, START);
  expect(rig.closedUntilMs).toBe(START + 60_000);
});

test('five days in which the guard refuses every request wear an endpoint out like failures, and open no breaker', () => {
  const blocked: Outcome = {
    kind: 'blocked',
    detail: 'private',
    timing,
  };
  const rig = new Rig();
  expect(rig.passMany(blocked, 30)).toEqual([]);
  expect([rig.closedUntilMs, rig.room, rig.gate.isDirty]).toEqual([null, 8, true]);
  expect(rig.failDaily(blocked, 4)).toEqual([]);
  expect(rig.failDaily(blocked, 1)).toEqual([{ kind: 'worn_out', failingSinceMs: START }]);
});

test('five days of nothing but failures wear an endpoint out; one success in between does not', () => {
  const worn = new Rig();
  worn.pass(answer(500));
  worn.failDaily(answer(500), 4);
  worn.nowMs += DAY_MS - 1;
  expect(worn.pass(answer(500))).toEqual([]);
  worn.nowMs += 1;
  expect(worn.pass(answer(500))).toEqual([{ kind: 'worn_out', failingSinceMs: START }]);
  const well = new Rig();
  well.pass(answer(500));
  well.pass(answer(200));
  expect(well.failDaily(answer(500), 5)).toEqual([]);
});

test('six days in which nothing was sent do not wear an endpoint out, whoever was its owner before and after', () => {
  const rig = new Rig();
  rig.passMany(answer(500), 2);
  rig.handOver();
  rig.nowMs += 6 * DAY_MS;
  expect(rig.pass(answer(500))).toEqual([]);
  expect(rig.failDaily(answer(500), 3)).toEqual([]);
  expect(rig.failDaily(answer(500), 1)).toMatchObject([{ kind: 'worn_out' }]);
});

test('an endpoint that is well has nothing to save, and neither has a bucket that is full again', () => {
  const rig = new Rig({ rate: { perSecond: 10, burst: 10 } });
  rig.pass(answer(200));
  expect(rig.gate.save(START)).not.toBeNull();
  expect(rig.gate.save(START + 100)).toBeNull();
});

test('people see the phase, the time of the next probe, the throttle and since when it fails', () => {
  const rig = new Rig();
  rig.pass(answer(503, { 'retry-after': '60' }));
  rig.passMany(answer(500), 9);
  expect(viewGate(rig.gate.save(START), START)).toEqual({
    phase: 'open',
    openUntilMs: START + 30_000,
    failuresInARow: 0,
    throttledUntilMs: START + 60_000,
    failingSinceMs: START,
  });
  expect(viewGate(rig.gate.save(START), START + 60_000)).toMatchObject({ phase: 'half_open', throttledUntilMs: null });
  expect(viewGate(null, START)).toMatchObject({ phase: 'closed', failuresInARow: 0 });
});

test('answers to requests that began before a reset by hand do not undo it', () => {
  const rig = new Rig();
  const before = Array.from({ length: 20 }, () => rig.gate.begin(START));
  rig.gate = Gate.restore(null, rig.limits, START);
  for (const passage of before) rig.gate.finish(answer(500), passage, { nowMs: START, random: () => 0.5 });
  expect([rig.closedUntilMs, rig.room]).toEqual([null, 8]);
});

test('every request that the guard refuses is to be saved: the next owner would take the time since the first for a pause', () => {
  const rig = new Rig();
  const blocked: Outcome = { kind: 'blocked', detail: 'private', timing };
  rig.pass(blocked);
  rig.gate.markSaved();
  rig.pass(blocked);
  expect(rig.gate.isDirty).toBe(true);
});

test('a success after a failure is to be saved: the next owner would go on counting the days of failures', () => {
  const rig = new Rig();
  rig.pass(answer(500));
  rig.gate.markSaved();
  rig.pass(answer(200));
  expect([rig.gate.isDirty, rig.gate.save(rig.nowMs)?.failingSinceMs ?? null]).toEqual([true, null]);
  rig.gate.markSaved();
  rig.pass(answer(200));
  expect(rig.gate.isDirty).toBe(false);
});

test('a pause that the receiver asked for lasts no longer where Postgres’s clock steps back by far', () => {
  const rig = new Rig();
  rig.pass(answer(503, { 'retry-after': '60' }));
  rig.nowMs += 10_000;
  expect(rig.closedUntilMs).toBe(START + 60_000);
  rig.nowMs -= 3_600_000;
  // Nothing is sent meanwhile: to look whether it is over is all that happens.
  expect(rig.closedUntilMs).toBe(rig.nowMs + 50_000);
  rig.nowMs += 50_000;
  expect(rig.closedUntilMs).toBe(null);
});
