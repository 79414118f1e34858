import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KafkaHealth } from './kafka-health.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const broken = new Error('The topic cannot be read.');

test.each([
  ['as soon as it has joined', 0],
  ['when the client has given a silent broker up', 125_000],
])('a source that fails again and again, %s, tries ever more rarely, whatever it reads meanwhile', (_when, lastsMs) => {
  const health = new KafkaHealth();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    health.join([]);
    health.prosper();
    vi.advanceTimersByTime(lastsMs);
    health.fail(broken);
    waits.push(health.waitMs);
    vi.advanceTimersByTime(500_000);
    expect(health.kind(false)).toBe('failing');
    health.leave();
  }
  expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
});

test('what was wrong is shown until the broker has answered a fetch of the next membership', () => {
  const health = new KafkaHealth();
  health.fail(broken);
  health.leave();
  health.join([]);
  expect([health.kind(false), health.error]).toEqual(['failing', broken.message]);
  health.prosper();
  expect([health.kind(false), health.error]).toEqual(['running', null]);
});

test('failures are counted anew once a membership has lasted', () => {
  const health = new KafkaHealth();
  for (let i = 0; i < 3; i++) health.fail(broken);
  health.join([]);
  vi.advanceTimersByTime(180_000);
  expect([health.kind(false), health.error]).toEqual(['running', null]);
  health.fail(broken);
  expect(health.waitMs).toBe(250);
});

test('a membership that was short does not count for the next one', () => {
  const health = new KafkaHealth();
  for (let i = 0; i < 3; i++) health.fail(broken);
  health.join([]);
  vi.advanceTimersByTime(100_000);
  health.leave();
  health.join([]);
  vi.advanceTimersByTime(100_000);
  health.fail(broken);
  expect(health.waitMs).toBe(2_000);
});

test('a source is starting until it has joined, and again once its membership has ended without a failure', () => {
  const health = new KafkaHealth();
  expect(health.kind(false)).toBe('starting');
  expect(health.kind(true)).toBe('paused');
  health.join([]);
  expect(health.kind(false)).toBe('running');
  health.leave();
  expect(health.kind(false)).toBe('starting');
});

test('what is wrong comes in the order of what must be mended first, and what could not be stored goes with the membership', () => {
  const health = new KafkaHealth();
  health.join(['orders']);
  health.setTrouble(new Error('Postgres is away.'));
  expect([health.kind(true), health.error]).toEqual(['failing', 'The cluster has no topic orders.']);
  health.join([]);
  expect([health.kind(true), health.kind(false), health.error]).toEqual(['paused', 'waiting', 'Postgres is away.']);
  health.setTrouble(null);
  expect([health.kind(false), health.error]).toEqual(['running', null]);
  health.setTrouble(new Error('Postgres is away.'));
  health.leave();
  health.join([]);
  expect([health.kind(false), health.error]).toEqual(['running', null]);
});

test('what is held is shown while the group has us as a member, before what failed earlier, and as failing', () => {
  let held: string | null = 'A batch is too large.';
  const health = new KafkaHealth(() => held);
  expect([health.kind(false), health.error]).toEqual(['starting', null]);
  health.fail(broken);
  expect(health.error).toMatch(/cannot be read/);
  health.join([]);
  for (const isPaused of [false, true])
    expect([health.kind(isPaused), health.error]).toEqual(['failing', 'A batch is too large.']);
  held = null;
  health.prosper();
  expect([health.kind(false), health.error]).toEqual(['running', null]);
});
