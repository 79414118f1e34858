import { expect, test } from 'vitest';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { LoadedTarget } from '../store/targets.ts';
import { Desk, type Letter } from './desk.ts';

const target: DeliveryTarget = {
  num: 1,
  id: 'ep_1',
  tenantNum: 1,
  tenantId: 'tenant_1',
  url: 'https://receiver.test/',
  enabled: true,
  deleted: false,
  headers: {},
  secrets: [`whsec_${Buffer.alloc(24, 1).toString('base64')}`],
  retryScheduleMs: [0],
  timeoutMs: 1_000,
  maxInFlight: 2,
  version: 3,
};

const loaded = (given: Partial<DeliveryTarget> = {}, refreshAtMs: number | null = null): LoadedTarget => ({
  kind: 'target',
  target: { ...target, ...given },
  refreshAtMs,
});

function deskWith(given: LoadedTarget): Desk {
  const desk = new Desk(1, 0);
  desk.load(given);
  return desk;
}

test('a desk is open only for an endpoint that is known, enabled and not deleted, and whose secrets open', () => {
  expect(new Desk(1, 0).isOpen).toBe(false);
  expect(deskWith(loaded()).isOpen).toBe(true);
  expect(deskWith(loaded({ enabled: false })).isOpen).toBe(false);
  expect(deskWith(loaded({ deleted: true })).isOpen).toBe(false);
  const desk = deskWith(loaded());
  desk.load({ kind: 'unusable', num: 1, version: 4, problem: 'sealed with another key' });
  expect(desk.isOpen).toBe(false);
  desk.load(loaded({ version: 5 }));
  expect(desk.isOpen).toBe(true);
});

test('settings are read again when they changed, when a secret has expired, or while they cannot be used', () => {
  const desk = deskWith(loaded({}, 500));
  expect(desk.isStale(3, 499)).toBe(false);
  expect(desk.isStale(undefined, 499)).toBe(false);
  expect(desk.isStale(4, 499)).toBe(true);
  expect(desk.isStale(3, 500)).toBe(true);
  expect(new Desk(1, 0).isStale(1, 0)).toBe(true);
  expect(deskWith({ kind: 'unusable', num: 1, version: 3, problem: 'no' }).isStale(3, 0)).toBe(true);
});

test('a desk is slow when what waits has waited long because the endpoint takes no more', () => {
  const desk = deskWith(loaded());
  desk.waiting.push({ admittedAt: 100 } as Letter);
  expect(desk.isSlow(5_000, 1_000)).toBe(false);
  desk.inFlight = 2;
  expect(desk.isSlow(5_000, 1_000)).toBe(true);
  expect(desk.isSlow(1_000, 1_000)).toBe(false);
  expect(desk.held).toBe(3);
});

test('parking sends the reading of the backlog back to its start', () => {
  const desk = deskWith(loaded());
  desk.parkedCursor = { dueAtMs: 5, eventUuid: 'u', endpointNum: 1 };
  desk.markParked();
  expect(desk).toMatchObject({ hasParked: true, parkedCursor: { dueAtMs: 0 }, parkings: 1 });
});

test('what a replay queued waits behind live deliveries, each kind in its own order', () => {
  const desk = deskWith(loaded());
  for (const [eventUuid, isReplay] of [
    ['r1', true],
    ['r2', true],
    ['l1', false],
    ['r3', true],
    ['l2', false],
  ] as const) {
    desk.enqueue({ due: { eventUuid, isReplay } } as Letter);
  }
  expect(desk.waiting.map(({ due }) => due.eventUuid)).toEqual(['l1', 'l2', 'r1', 'r2', 'r3']);
});
