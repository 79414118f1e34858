import { afterEach, expect, test, vi } from 'vitest';
import { uuidFloor } from '../domain/ids.ts';
import { BoundedLabel } from './bounded-label.ts';
import { countSettled } from './count-settled.ts';
import type { SettledFact } from './facts.ts';
import type { Figures } from './installation-figures.ts';
import { Metrics } from './metrics.ts';

afterEach(() => {
  vi.useRealTimers();
});

const timing = { dnsMs: null, connectMs: null, firstByteMs: 1, totalMs: 40 };
const response = { status: 200, headers: {}, body: Buffer.alloc(0), truncated: false };
const delivered: SettledFact = {
  eventUuid: uuidFloor(1_000),
  lane: 1,
  isReplay: false,
  startedAtMs: 3_000,
  outcome: { kind: 'delivered', response, timing },
  decision: { kind: 'done' },
};

const lineOf = async (metrics: Metrics, start: string) =>
  (await metrics.text()).split('\n').find((line) => line.startsWith(`posthorn_${start}`));

test('a delivery took from the acceptance of its event to the end of its attempt', async () => {
  const metrics = new Metrics();
  countSettled(metrics.deliveries, [delivered], new Set([1]));
  expect(await lineOf(metrics, 'delivery_latency_seconds_sum')).toBe('posthorn_delivery_latency_seconds_sum 2.04');
  expect(await lineOf(metrics, 'attempt_duration_seconds_sum')).toBe('posthorn_attempt_duration_seconds_sum 0.04');
});

test('nobody waited for what a replay sent, and what a former owner settles is no attempt', async () => {
  const metrics = new Metrics();
  countSettled(
    metrics.deliveries,
    [
      { ...delivered, isReplay: true },
      { ...delivered, lane: 2 },
    ],
    new Set([1]),
  );
  expect(await lineOf(metrics, 'delivery_latency_seconds_count')).toBe('posthorn_delivery_latency_seconds_count 0');
  expect(await lineOf(metrics, 'attempts_total')).toBe(
    'posthorn_attempts_total{outcome="delivered",decision="done"} 1',
  );
  expect(await lineOf(metrics, 'attempts_void_total')).toBe('posthorn_attempts_void_total 1');
});

test('a batch counts each kind of attempt for itself, and each reason for not reaching a receiver', async () => {
  const metrics = new Metrics();
  const unreachable = (reason: 'dns' | 'tls'): SettledFact => ({
    ...delivered,
    outcome: { kind: 'unreachable', reason, detail: '', timing },
    decision: { kind: 'dead_letter' },
  });
  const attempts = [unreachable('dns'), unreachable('dns'), unreachable('tls'), delivered];
  countSettled(metrics.deliveries, attempts, new Set([1]));
  expect(await lineOf(metrics, 'attempts_total{outcome="unreachable"')).toMatch(/decision="dead_letter"} 3$/);
  expect(await lineOf(metrics, 'attempts_unreachable_total{reason="dns"}')).toMatch(/ 2$/);
  expect(await lineOf(metrics, 'dead_letters_total')).toMatch(/ 3$/);
});

test('a label never takes more values than it may, whatever comes', () => {
  const label = new BoundedLabel();
  const values = new Set(Array.from({ length: 1_000 }, (_, i) => label.of(`value ${i}`)));
  expect(values.size).toBe(65);
  expect(label.of('value 0')).toBe('value 0');
  expect(label.of('value 999')).toBe('other');
});

const figures = { due_age_seconds: 7 } as Figures;

test('Postgres is asked once in five seconds, however many look at once', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const metrics = new Metrics();
  let asked = 0;
  metrics.figures.readBy(async () => {
    asked++;
    return figures;
  });
  await Promise.all(Array.from({ length: 20 }, () => metrics.text()));
  expect(await lineOf(metrics, 'installation_due_age_seconds')).toMatch(/ 7$/);
  expect(asked).toBe(1);
  vi.advanceTimersByTime(5_000);
  await metrics.text();
  expect(asked).toBe(2);
});

test('while Postgres does not answer, its figures are told for a minute, and the rest for ever', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const metrics = new Metrics();
  metrics.figures.readBy(async () => figures);
  await metrics.text();
  metrics.figures.readBy(() => new Promise(() => {}));
  vi.advanceTimersByTime(59_000);
  const waiting = lineOf(metrics, 'installation_due_age_seconds');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBeUndefined();
  const failing = lineOf(metrics, 'events_accepted_total');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await failing).toBe('posthorn_events_accepted_total 0');
});

test('what the runtime measures is there between start and stop', async () => {
  const metrics = new Metrics();
  expect(await lineOf(metrics, 'event_loop_delay_seconds{')).toBeUndefined();
  metrics.runtime.start();
  expect(await lineOf(metrics, 'event_loop_delay_seconds{quantile="0.99"}')).toBeDefined();
  metrics.runtime.stop();
});

test('who asks for the metrics while they are being written gets those, and the next one new ones', async () => {
  const metrics = new Metrics();
  const first = metrics.text();
  expect(metrics.text()).toBe(first);
  await first;
  metrics.linesDropped.inc(7);
  expect(await lineOf(metrics, 'log_lines_dropped_total')).toBe('posthorn_log_lines_dropped_total 7');
});
