import { expect, test } from 'vitest';
import { Gate } from '../delivery/gate.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { START } from '../store/mailbox.ts';
import { Desk } from './desk.ts';
import type { Letter } from './letter-queue.ts';
import { desksToRefill, refilled, refillOf } from './parked-backlog.ts';

const NOW = Date.UTC(2026, 10, 26);

/** A desk with a parked backlog whose endpoint has as many requests under way as it takes. */
function fullDesk(settings: Partial<DeliveryTarget>): Desk {
  const desk = new Desk(1, 0);
  desk.target = { enabled: true, deleted: false, maxInFlight: 1, rateLimit: null, ...settings } as DeliveryTarget;
  desk.gate = Gate.restore(null, { cap: 1, rate: null }, NOW);
  desk.flights.begin({ letter: {} as Letter, kind: 'first', request: null, place: -1 });
  desk.markParked();
  return desk;
}

const chosen = (desk: Desk, isServed = true) => desksToRefill([desk], () => isServed, NOW);

test('an endpoint that takes no more gets no more of its backlog', () => {
  const desk = fullDesk({});
  expect(chosen(desk)).toEqual([]);
  desk.flights.abandon();
  expect(chosen(desk)).toEqual([desk]);
});

test('the backlog of a deleted endpoint is taken up, to be cancelled, although its receiver still holds a request', () => {
  const desk = fullDesk({ deleted: true });
  expect(chosen(desk)).toEqual([desk]);
});

test('a disabled endpoint and a lane that is not served keep their backlog', () => {
  expect(chosen(fullDesk({ enabled: false }))).toEqual([]);
  expect(chosen(fullDesk({ deleted: true }), false)).toEqual([]);
});

test('an endpoint whose rate has it wait gets of its backlog what it may send soon, shortly before it may', () => {
  const rateLimit = { perSecond: 0.1, burst: 1 };
  const desk = fullDesk({ maxInFlight: 16, rateLimit });
  desk.flights.abandon();
  desk.gate = Gate.restore(null, { cap: 16, rate: rateLimit }, NOW);
  expect(chosen(desk)).toEqual([desk]);
  expect(refillOf(desk).fetch.limit).toBe(2);
  desk.gate.begin(NOW);
  const chosenAfter = (ms: number) => desksToRefill([desk], () => true, NOW + ms).length;
  expect([chosenAfter(9_000), chosenAfter(9_900)]).toEqual([0, 1]);
});

test.each([
  [null, 16],
  [{ perSecond: 0.1, burst: 1 }, 1],
  [{ perSecond: 4.5, burst: 1 }, 5],
  [{ perSecond: 1, burst: 9.5 }, 9],
  [{ perSecond: 500, burst: 500 }, 16],
])('of a rate of %j an endpoint that takes 16 at once takes %i within a second', (rateLimit, appetite) => {
  expect(fullDesk({ maxInFlight: 16, rateLimit }).appetite).toBe(appetite);
});

test('a read that went on from a cursor and came to the end says nothing of what is before it: the next begins at the start', () => {
  const desk = fullDesk({});
  desk.parkedCursor = { dueAtMs: NOW, eventUuid: '01890a5d-ac96-774b-bcce-b302099a8057', endpointNum: 1 };
  refilled(refillOf(desk), []);
  expect([desk.hasParked, desk.parkedCursor]).toEqual([true, START]);
  refilled(refillOf(desk), []);
  expect(desk.hasParked).toBe(false);
});
