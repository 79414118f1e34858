import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KafkaHealth } from './kafka-health.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const broken = new Error('The topic cannot be read.');

test('a source that fails each time it has joined is shown as failing throughout, and tries ever more rarely', () => {
  const health = new KafkaHealth();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    health.join([]);
    if (i > 0) expect([health.kind(false), health.error]).toEqual(['failing', broken.message]);
    vi.advanceTimersByTime(1_000);
    health.fail(broken);
    waits.push(health.waitMs);
    vi.advanceTimersByTime(20_000);
    expect(health.kind(false)).toBe('failing');
    health.leave();
  }
  expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
});

test.each([
  ['has read messages', (health: KafkaHealth) => health.prosper()],
  ['has lasted for ten seconds, though no message came', () => void vi.advanceTimersByTime(10_000)],
])('what was wrong is forgotten once a membership %s', (_what, last) => {
  const health = new KafkaHealth();
  health.fail(broken);
  health.fail(broken);
  health.join([]);
  last(health);
  expect([health.kind(false), health.error]).toEqual(['running', null]);
  health.fail(broken);
  expect(health.waitMs).toBe(250);
});

test('a source is starting until it has joined, and again once its membership has ended without a failure', () => {
  const health = new KafkaHealth();
  expect(health.kind(false)).toBe('starting');
  health.join([]);
  expect(health.kind(false)).toBe('running');
  health.leave();
  expect(health.kind(false)).toBe('starting');
});

test('what is wrong comes in the order of what must be mended first', () => {
  const health = new KafkaHealth();
  health.join(['orders']);
  health.setTrouble(new Error('Postgres is away.'));
  expect([health.kind(true), health.error]).toEqual(['failing', 'The cluster has no topic orders.']);
  health.leave();
  health.join([]);
  expect([health.kind(true), health.kind(false), health.error]).toEqual(['paused', 'waiting', 'Postgres is away.']);
  health.setTrouble(null);
  expect([health.kind(false), health.error]).toEqual(['running', null]);
});
