import { beforeEach, expect, test } from 'vitest';
import { Gate } from '../delivery/gate.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { DueDelivery, OrderPlace } from '../store/mailbox.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import type { Desk } from './desk.ts';
import { DeskList } from './desk-list.ts';
import { Lane } from './lane.ts';
import type { Letter } from './letter-queue.ts';
import { PendingTableWrites } from './pending-table-writes.ts';
import { RowsInMemory } from './rows-in-memory.ts';

const NOW = Date.UTC(2026, 10, 26);
const TENANT = 5;

let list: DeskList;
let inMemory: RowsInMemory;
let tableWrites: PendingTableWrites;
/** Slots that are free for the tenant; null: nothing is crowded. */
let slots: number | null;
let hasBytes: boolean;
let events: number;
let admission: Admission;

beforeEach(() => {
  list = new DeskList(() => NOW);
  inMemory = new RowsInMemory();
  tableWrites = new PendingTableWrites();
  slots = 100;
  hasBytes = true;
  events = 0;
  admission = new Admission({
    nowMs: () => NOW,
    list,
    inMemory,
    memory: {
      get hasBytes() {
        return hasBytes;
      },
      tenantMayHaveMore: () => true,
      rowsPerEndpoint: () => 10,
    } as unknown as AdmissionOptions['memory'],
    crowding: {
      places: () => {
        if (slots === null) return null;
        let left = slots;
        return { take: (tenantNum) => tenantNum === TENANT && left-- > 0 };
      },
    },
    tableWrites,
    dispatcher: { offer: () => {}, run: () => {} },
    closer: { close: () => {} },
  });
});

function deskOf(num: number, settings: Partial<DeliveryTarget> = {}): Desk {
  const desk = list.of(num, 0);
  const limits = { maxInFlight: 3, rateLimit: null, ...settings };
  desk.target = { enabled: true, deleted: false, tenantNum: TENANT, ...limits } as DeliveryTarget;
  desk.gate = Gate.restore(null, { cap: limits.maxInFlight, rate: limits.rateLimit }, NOW);
  return desk;
}

function rowsOf(endpointNum: number, count: number, order: OrderPlace | null = null): DueDelivery[] {
  return Array.from({ length: count }, () => ({
    eventUuid: `u${++events}`,
    endpointNum,
    tenantNum: TENANT,
    lane: 0,
    attempt: 0,
    step: 0,
    dueAtMs: NOW,
    isReplay: false,
    endpointVersion: 1,
    isParked: false,
    order,
  }));
}

const parked = () => tableWrites.takeParked(() => false).length;

test('while it is crowded, rows come in as far as their endpoint and their tenant take them at once; the others are parked unread', () => {
  for (const num of [1, 2]) deskOf(num);
  const rows = [...rowsOf(1, 10), ...rowsOf(2, 10)];
  expect(admission.turnAway(rows).map(({ endpointNum }) => endpointNum)).toEqual([1, 1, 1, 2, 2, 2]);
  expect(parked()).toBe(14);
  slots = 4;
  expect(admission.turnAway(rows).map(({ endpointNum }) => endpointNum)).toEqual([1, 1, 1, 2]);
  slots = null;
  expect(admission.turnAway(rows)).toBe(rows);
});

test('what is under way to an endpoint counts, and what waits for it', () => {
  const desk = deskOf(1);
  const [row] = rowsOf(1, 1);
  const body = { externalId: null, body: Buffer.alloc(1), expunged: false };
  const letter = { due: row!, body, admittedAt: 0, checkedAt: 0, deliveryId: null };
  desk.flights.begin({ letter, kind: 'first', request: null, place: -1 });
  expect(admission.turnAway(rowsOf(1, 5))).toHaveLength(2);
  desk.waiting.push(letter);
  expect(admission.turnAway(rowsOf(1, 5))).toHaveLength(1);
});

test('of an endpoint with a rate come as many as that allows within a second, whatever is under way; of one whose breaker tries it out, one', () => {
  const slow = deskOf(1, { maxInFlight: 10, rateLimit: { perSecond: 2, burst: 2 } });
  for (let i = 0; i < 4; i++) slow.flights.begin({ letter: {} as Letter, kind: 'first', request: null, place: -1 });
  expect(admission.turnAway(rowsOf(1, 9))).toHaveLength(2);
  const tried = deskOf(2, { maxInFlight: 10 });
  tried.gate = Object.assign(tried.gate!, { allowance: () => 1 });
  expect(admission.turnAway(rowsOf(2, 9))).toHaveLength(1);
});

test('an endpoint that takes none now gets none: its rate is spent, or it is closed', () => {
  const rateLimit = { perSecond: 0.1, burst: 1 };
  deskOf(1, { rateLimit }).gate!.begin(NOW);
  deskOf(2, { enabled: false });
  deskOf(3);
  const rows = [1, 2, 3].flatMap((num) => rowsOf(num, 1));
  expect(admission.turnAway(rows).map(({ endpointNum }) => endpointNum)).toEqual([3]);
  expect([1, 2, 3].map((num) => list.get(num)!.hasParked)).toEqual([true, true, false]);
});

test('what waits for a deleted endpoint comes in to be cancelled, slots or not; of an unknown one only the slots count', () => {
  deskOf(1, { deleted: true });
  slots = 1;
  const rows = [...rowsOf(1, 3), ...rowsOf(2, 2)];
  expect(admission.turnAway(rows).map(({ endpointNum }) => endpointNum)).toEqual([1, 1, 1, 2]);
});

test('what waits for a deleted endpoint is parked unread where no byte is free, lest it be read again and again', () => {
  deskOf(1, { deleted: true });
  hasBytes = false;
  expect(admission.turnAway(rowsOf(1, 3))).toEqual([]);
  expect(list.get(1)!.hasParked).toBe(true);
});

test('what stands behind others of its key takes no slot, and is set behind', () => {
  deskOf(1);
  const rows = [
    ...rowsOf(1, 1, { key: 1, seq: 2, behindSeq: 1, isPaused: false }),
    ...rowsOf(1, 1, { key: 2, seq: 1, behindSeq: null, isPaused: true }),
    ...rowsOf(1, 1, { key: 3, seq: 1, behindSeq: null, isPaused: false }),
  ];
  slots = 1;
  expect(admission.turnAway(rows)).toEqual(rows.slice(2));
  expect([tableWrites.takeBehind(() => false).length, parked()]).toEqual([2, 0]);
});

test('what is in memory already is left as it is', () => {
  deskOf(1);
  slots = 0;
  const rows = rowsOf(1, 2);
  inMemory.add(rows[0]!, new Lane({ lane: 0, epoch: 1 }, 0), 1);
  expect(admission.turnAway(rows)).toEqual([rows[0]]);
  expect(parked()).toBe(1);
});

test('an ordered row that became visible late and is turned away takes those with it that would overtake it', () => {
  const desk = deskOf(1);
  const place = (seq: number, behindSeq: number | null = null) => ({ key: 7, seq, behindSeq, isPaused: false });
  const [first] = rowsOf(1, 1, place(11));
  const [follower] = rowsOf(1, 1, place(12, 11));
  const [late] = rowsOf(1, 1, place(10));
  const bodies = { get: () => ({ externalId: null, body: Buffer.from('{}'), expunged: false }) };
  const lane = new Lane({ lane: 0, epoch: 1 }, 0);
  slots = null;
  admission.admit([first!, follower!], bodies, () => lane);
  expect([desk.waiting.length, desk.lines.waiting, inMemory.size]).toEqual([1, 1, 2]);
  slots = 0;
  expect(admission.turnAway([late!])).toEqual([]);
  expect([desk.lines.waiting, inMemory.size, lane.rowsInMemory]).toEqual([0, 1, 1]);
  expect(tableWrites.takeBehind(inMemory.has.bind(inMemory))).toEqual([follower]);
  expect(tableWrites.takeParked(() => false)).toEqual([late]);
});
