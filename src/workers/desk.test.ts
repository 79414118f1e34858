import { expect, test } from 'vitest';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { START } from '../store/mailbox.ts';
import type { LoadedTarget } from '../store/targets.ts';
import { Desk } from './desk.ts';
import type { Letter } from './letter-queue.ts';

const NOW = Date.UTC(2026, 10, 26);

const target: DeliveryTarget = {
  num: 1,
  id: 'ep_1',
  tenantNum: 1,
  tenantId: 'tenant_1',
  destination: { type: 'http', url: 'https://receiver.test/' },
  enabled: true,
  deleted: false,
  headers: {},
  secrets: [`whsec_${Buffer.alloc(24, 1).toString('base64')}`],
  format: 'native',
  awaitsValidation: false,
  requestOrigin: null,
  retryScheduleMs: [0],
  timeoutMs: 1_000,
  maxInFlight: 2,
  rateLimit: null,
  onDeadLetter: 'continue',
  version: 3,
};

const loaded = (given: Partial<DeliveryTarget> = {}, refreshAtMs: number | null = null): LoadedTarget => ({
  kind: 'target',
  target: { ...target, ...given },
  refreshAtMs,
  gate: null,
  resets: 0,
});

function deskWith(given: LoadedTarget): Desk {
  const desk = new Desk(1, 0);
  desk.load(given, NOW);
  return desk;
}

test('a desk is open only for an endpoint that is known, enabled and not deleted, and whose secrets open', () => {
  expect(new Desk(1, 0).isOpen(NOW)).toBe(false);
  expect(deskWith(loaded()).isOpen(NOW)).toBe(true);
  expect(deskWith(loaded({ enabled: false })).isOpen(NOW)).toBe(false);
  expect(deskWith(loaded({ deleted: true })).isOpen(NOW)).toBe(false);
  const desk = deskWith(loaded());
  desk.load(
    { kind: 'unusable', num: 1, id: 'ep_1', tenantId: 'acme', version: 4, problem: 'sealed with another key' },
    NOW,
  );
  expect(desk.isOpen(NOW)).toBe(false);
  desk.load(loaded({ version: 5 }), NOW);
  expect(desk.isOpen(NOW)).toBe(true);
});

test('settings are read again when they changed, when a secret has expired, or while they cannot be used', () => {
  const desk = deskWith(loaded({}, 500));
  expect(desk.isStale(3, 499)).toBe(false);
  expect(desk.isStale(undefined, 499)).toBe(false);
  expect(desk.isStale(4, 499)).toBe(true);
  expect(desk.isStale(3, 500)).toBe(true);
  expect(new Desk(1, 0).isStale(1, 0)).toBe(true);
  expect(
    deskWith({ kind: 'unusable', num: 1, id: 'ep_1', tenantId: 'acme', version: 3, problem: 'no' }).isStale(3, 0),
  ).toBe(true);
});

test('a desk is slow when what waits has waited long because the endpoint takes no more', () => {
  const desk = deskWith(loaded());
  const letter = { admittedAt: 100, due: { isReplay: false, step: 0 } } as Letter;
  desk.waiting.push(letter);
  expect(desk.isSlow(5_000, 1_000, NOW, () => true)).toBe(false);
  expect(desk.isSlow(5_000, 1_000, NOW, () => false)).toBe(true);
  for (let i = 0; i < 2; i++) desk.flights.begin({ letter, kind: 'first', request: null, place: -1 });
  expect(desk.isSlow(5_000, 1_000, NOW, () => true)).toBe(true);
  expect(desk.isSlow(1_000, 1_000, NOW, () => true)).toBe(false);
  expect(desk.rowsInMemory).toBe(3);
});

test('parking sends the reading of the backlog back to its start', () => {
  const desk = deskWith(loaded());
  desk.parked.retry.cursor = { dueAtMs: 5, eventUuid: 'u', endpointNum: 1 };
  desk.markParked();
  expect(desk.hasParked).toBe(true);
  expect(desk.parked.retry).toMatchObject({ hasRows: true, cursor: START, parkings: 1 });
});

test('more of one class is wanted while letters of another wait, though these take each place as it becomes free', () => {
  const desk = deskWith(loaded());
  for (let i = 0; i < 2; i++) desk.flights.begin({ letter: {} as Letter, kind: 'replay', request: null, place: -1 });
  desk.markParked('first');
  expect(desk.wantsParked(NOW)).toBe(false);
  desk.waiting.push({ due: { isReplay: true, step: 0 } } as Letter);
  expect([desk.wantsParked(NOW), desk.hasOnlyParked('first'), desk.hasOnlyParked('replay')]).toEqual([
    true,
    true,
    false,
  ]);
});

test('a backlog that is found in the table is looked through in all classes, from the start: rows may have become another class’s', () => {
  const desk = deskWith(loaded());
  desk.markParked('replay');
  desk.parked.replay.cursor = { dueAtMs: 5, eventUuid: 'u', endpointNum: 1 };
  desk.foundParked();
  const { first, retry, replay } = desk.parked;
  expect([first.hasRows, retry.hasRows, replay.cursor]).toEqual([true, true, START]);
  // A read under way may still find that it has seen all.
  expect(replay.parkings).toBe(1);
});

test('a gate is what was remembered of it, and stays what it became here until somebody else rewrites that', () => {
  const closed = {
    breaker: null,
    bucket: { tokens: 1, atMs: NOW, throttledUntilMs: NOW + 60_000 },
    failingSinceMs: null,
  };
  const desk = deskWith({ ...loaded(), gate: closed } as LoadedTarget);
  expect(desk.isOpen(NOW)).toBe(false);
  desk.load({ ...loaded({ version: 4 }), gate: null } as LoadedTarget, NOW);
  expect(desk.isOpen(NOW)).toBe(false);
  desk.load({ ...loaded({ version: 5 }), gate: null, resets: 1 } as LoadedTarget, NOW);
  expect(desk.isOpen(NOW)).toBe(true);
});
