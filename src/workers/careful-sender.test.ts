import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PreparedRequest } from '../delivery/prepare.ts';
import type { Abandonable } from '../delivery/sender.ts';
import { deliveryIdOf } from '../domain/ids.ts';
import type { Outcome } from '../domain/outcome.ts';
import { CAREFUL_FROM, STRIKES_OUT, TRIALS_PER_LANE, trialMs } from '../domain/suspicion.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { AcquiredLane, LaneLease } from '../store/lanes.ts';
import type { Review } from '../store/suspects.ts';
import { CarefulSender } from './careful-sender.ts';
import { answered, FakeSender } from './fixtures/fake-sender.ts';
import { VirtualTime } from './fixtures/virtual-time.ts';

const LATE_MS = 60_000;
const ENDPOINT = 7;

let time: VirtualTime;
let review: Review;
/** What was recorded, sent and cleared, in order. */
let log: string[];
let gone: number[];
/** Of what no request can be made. */
let unmade: number[];
let failures: number;
let outcomes: Outcome[];
let careful: CarefulSender;

const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const numberOf = ({ eventUuid }: DeliveryKey) => Number(eventUuid.slice(-12));
const key = (n: number) => ({ eventUuid: uuid(n), endpointNum: ENDPOINT });
const lane = (crashes: number, number = 3): AcquiredLane => ({ lane: number, epoch: 1, crashes });

beforeEach(() => {
  time = new VirtualTime();
  time.install();
  review = { suspects: [], setAside: [] };
  log = [];
  gone = [];
  unmade = [];
  failures = 0;
  outcomes = [];
  const sender = new FakeSender(time, () => ({ outcome: answered(200), afterMs: LATE_MS }));
  sender.onSend = ({ key: sent }) => log.push(`sent ${Number(sent.slice(24, 36))}`);
  const note = (leases: readonly LaneLease[], rows: readonly DeliveryKey[]) => {
    if (failures-- > 0) throw new Error('no answer');
    log.push(`recorded ${rows.map(numberOf).join()} of ${leases.length} lanes`);
    return rows.filter((row) => gone.includes(numberOf(row)));
  };
  careful = new CarefulSender({
    sender,
    store: {
      reviewSuspects: async () => review,
      putOnTrial: async (leases, rows) => note(leases, rows),
      clearSuspects: async (_leases, rows) => void log.push(`cleared ${rows.map(numberOf).join()}`),
    },
    onSetAside: (row) => log.push(`set aside ${numberOf(row)}`),
    onFailure: (what) => log.push(what),
  });
});

afterEach(() => time.restore());

function send(n: number): Abandonable {
  const headers = ['webhook-id', 'posthorn-attempt', 'posthorn-delivery-id', deliveryIdOf(uuid(n), ENDPOINT)];
  const request = { headers: [...headers, 'posthorn-attempt', '1'] } as unknown as PreparedRequest;
  const onOutcome = (outcome: Outcome) => outcomes.push(outcome);
  if (!careful.isCareful(3)) return careful.send(request, onOutcome);
  const make = (isRecorded: boolean) => {
    if (!isRecorded) log.push(`unrecorded ${n}`);
    if (unmade.includes(n)) log.push(`not made ${n}`);
    return unmade.includes(n) ? null : request;
  };
  return careful.tryOut({ ...key(n), lane: 3, attempt: 0 }, make, onOutcome);
}

test('what lanes send that are well passes straight through', async () => {
  await careful.review([lane(CAREFUL_FROM - 1)]);
  send(1);
  expect(log).toEqual(['sent 1']);
  await careful.review([lane(CAREFUL_FROM, 4)]);
  send(2);
  expect(log).toEqual(['sent 1', 'sent 2']);
});

test('in a careful lane nothing is sent before it is recorded, and a few at a time: the next when one is settled', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  for (let n = 1; n <= TRIALS_PER_LANE + 2; n++) send(n);
  await time.pass(10);
  const first = ['recorded 1 of 1 lanes', 'sent 1', 'recorded 2,3,4 of 1 lanes', 'sent 2', 'sent 3', 'sent 4'];
  expect(log).toEqual(first);
  expect(careful.inFlight).toBe(TRIALS_PER_LANE + 2);
  careful.settled(key(2));
  await time.pass(10);
  expect(log.slice(first.length)).toEqual(['cleared 2', 'recorded 5 of 1 lanes', 'sent 5']);
});

test('a delivery is recorded before its request is made; where none can be made it is cleared', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  unmade = [1];
  send(1);
  await time.pass(10);
  expect(log).toEqual(['recorded 1 of 1 lanes', 'not made 1', 'cleared 1']);
  expect([outcomes, careful.inFlight]).toEqual([[], 0]);
});

test('a delivery under which the worker lives on is cleared, and leaves its place to the next', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  for (let n = 1; n <= TRIALS_PER_LANE + 1; n++) send(n);
  await time.pass(trialMs(CAREFUL_FROM) - 10);
  expect(log.filter((line) => line.startsWith('cleared') || line === 'sent 5')).toEqual([]);
  await time.pass(20);
  expect(log.join()).toContain('cleared');
  expect(log).toContain('sent 5');
});

test('of deliveries with one strike to go, one is tried at a time', async () => {
  const strikes = STRIKES_OUT - 1;
  review = { suspects: [1, 2].map((n) => ({ ...key(n), lane: 3, strikes })), setAside: [] };
  await careful.review([lane(CAREFUL_FROM + strikes)]);
  for (const n of [1, 2, 3]) send(n);
  await time.pass(10);
  expect(log.filter((line) => line.startsWith('sent'))).toEqual(['sent 1', 'sent 3']);
  careful.settled(key(1));
  await time.pass(10);
  expect(log).toContain('sent 2');
});

test('what cannot be recorded is not sent until it can', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  failures = 2;
  send(1);
  await time.pass(350);
  expect(log).not.toContain('sent 1');
  await time.pass(200);
  expect(log.slice(-2)).toEqual(['recorded 1 of 1 lanes', 'sent 1']);
});

test('a delivery that was withdrawn while it waited is not sent', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  gone = [1];
  send(1);
  await time.pass(10);
  expect(outcomes).toEqual([{ kind: 'skipped', reason: 'withdrawn' }]);
  expect(log.join()).not.toContain('sent');
});

test('a lane that was survived, or lost, keeps nothing back: every request has an outcome', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  for (let n = 1; n <= TRIALS_PER_LANE + 3; n++) send(n);
  careful.forget(3);
  await time.pass(10);
  expect(log.filter((line) => line.startsWith('sent'))).toHaveLength(TRIALS_PER_LANE + 3);
  // Whoever makes their requests is told, and may look whether they are still to be made.
  expect(log.filter((line) => line.startsWith('unrecorded'))).toEqual([2, 3, 4, 5, 6, 7].map((n) => `unrecorded ${n}`));
  expect(careful.isCareful(3)).toBe(false);
});

test('what is abandoned is not sent any more, hung up on where it was sent, and makes room for another trial', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  const requests = [1, 2, 3, 4, 5, 6].map(send);
  await time.pass(10);
  for (const n of [1, 5]) requests[n - 1]!.abandon();
  expect(careful.inFlight).toBe(4);
  careful.settled(key(2));
  await time.pass(10);
  careful.forget(3);
  await time.pass(LATE_MS + 10);
  expect(log.filter((line) => line.startsWith('sent'))).toEqual([1, 2, 3, 4, 6].map((n) => `sent ${n}`));
  expect(outcomes).toHaveLength(4);
});

test('what is abandoned while it is being recorded is not sent', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  const requests = [1, 2].map(send);
  requests[0]!.abandon();
  await time.pass(10);
  expect(log).toEqual(['recorded 1 of 1 lanes', 'recorded 2 of 1 lanes', 'sent 2']);
});

test('what is abandoned while it is on trial leaves its place to the next', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  const requests = Array.from({ length: TRIALS_PER_LANE }, (_, i) => send(i + 1));
  await time.pass(10);
  requests[0]!.abandon();
  send(9);
  await time.pass(10);
  expect(log).toContain('sent 9');
});

test('what was on trial when its lane was lost takes no place where the lane comes back to the same process', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  for (let n = 1; n <= TRIALS_PER_LANE; n++) send(n);
  await time.pass(10);
  careful.forget(3);
  await careful.review([{ ...lane(CAREFUL_FROM), epoch: 2 }]);
  send(9);
  await time.pass(10);
  expect(log.slice(-2)).toEqual(['recorded 9 of 1 lanes', 'sent 9']);
});

test('after the end of a stop nothing more is sent', async () => {
  await careful.review([lane(CAREFUL_FROM)]);
  for (let n = 1; n <= 3; n++) send(n);
  expect(careful.abortAll()).toBe(2);
  await time.pass(trialMs(CAREFUL_FROM) + 1_000);
  expect(log.join()).not.toContain('sent');
});

test('what a review sets aside is told', async () => {
  review = { suspects: [], setAside: [{ ...key(9), lane: 3, strikes: STRIKES_OUT }] };
  await careful.review([lane(CAREFUL_FROM + STRIKES_OUT)]);
  expect(log).toEqual(['set aside 9']);
});
