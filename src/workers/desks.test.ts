import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EgressWatch } from '../delivery/egress-watch.ts';
import type { Outcome } from '../domain/outcome.ts';
import { CAREFUL_FROM } from '../domain/suspicion.ts';
import type { DeliveryClass, DueDelivery, EventBody } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import { CarefulSender } from './careful-sender.ts';
import { Desks } from './desks.ts';
import { answered, FakeSender } from './fixtures/fake-sender.ts';
import { keyOf, MailboxModel } from './fixtures/mailbox-model.ts';
import { VirtualTime } from './fixtures/virtual-time.ts';
import { Lane } from './lane.ts';

const MAX_IN_FLIGHT = 8;

let time: VirtualTime;
let model: MailboxModel;
let sender: FakeSender;
let careful: CarefulSender;
let desks: Desks;
let lane: Lane;
let settled: SettledAttempt[];
let body: EventBody;
let answerAfterMs: number;
let outcome: Outcome;
let isWrittenAtOnce: boolean;
let disablings: number;
let disablingMs: number;

beforeEach(() => {
  time = new VirtualTime();
  time.install();
  model = new MailboxModel(() => time.now);
  model.addLane(0);
  lane = new Lane({ lane: 0, epoch: 1 }, 0);
  settled = [];
  isWrittenAtOnce = true;
  disablings = 0;
  disablingMs = 0;
  stillWaiting = (asked) => asked;
  answerAfterMs = 10;
  pauseMs = 0;
  outcome = answered(200);
  body = { externalId: null, body: Buffer.alloc(10), expunged: false };
  sender = new FakeSender(time, () => ({ outcome, afterMs: answerAfterMs }));
  const store = model.storeOf('w', async (_owner, _name, work) => work());
  careful = new CarefulSender({ sender, store, onSetAside: () => {}, onFailure: () => {} });
  desks = new Desks({
    sender: careful,
    egress: new EgressWatch(),
    nowMs: () => model.now,
    userAgent: 'test',
    retentionMs: undefined,
    limits: { maxInFlight: MAX_IN_FLIGHT, maxBytes: 1_000, pauseMs: () => pauseMs },
    store: {
      loadTargets: (nums) => store.targets(nums),
      disableEndpoint: async (num, reason, resets) => {
        disablings++;
        if (disablingMs > 0) await time.sleep(disablingMs);
        return store.disableEndpoint(num, reason, resets);
      },
      settle: (attempt) => {
        settled.push(attempt);
        if (isWrittenAtOnce) desks.settled(attempt, true);
      },
    },
    events: { onAttempt: () => {}, onGateNews: () => {}, onEgressChange: () => {}, onFailure: () => {} },
    awaitsRoom: () => true,
    requestRound: () => void lookAgain().catch(() => {}),
  });
});

afterEach(() => time.restore());

let events = 0;
let pauseMs: number;
let stillWaiting: (asked: readonly DueDelivery[]) => readonly DueDelivery[] = (asked) => asked;

const lookAgain = () => desks.recheck(async (asked) => stillWaiting(asked));

function rows(endpointNum: number, count: number, tenantNum = 1): DueDelivery[] {
  return Array.from({ length: count }, () => {
    const { parked: _, ...row } = model.add(++events, endpointNum, time.now);
    return { ...row, isReplay: false, tenantNum, endpointVersion: 1, isParked: false, order: null };
  });
}

async function admit(given: readonly DueDelivery[]): Promise<void> {
  await desks.loadTargets([...new Set(given.map((row) => row.endpointNum))].map((num) => desks.list.of(num, 0)));
  desks.admit(given, new Map(given.map((row) => [row.eventUuid, body])), () => lane);
}

test('a row that was let go while a read was under way is not new, although the read still saw it', async () => {
  model.addEndpoint(1, 0, 4);
  const [row] = rows(1, 1);
  await admit([row!]);
  const { rows: seen, fresh } = await desks.read(async () => {
    await time.pass(50);
    expect(settled).toHaveLength(1);
    return { rows: [row!] };
  });
  expect(seen).toHaveLength(1);
  expect(fresh).toEqual([]);
  expect((await desks.read(async () => ({ rows: [row!] }))).fresh).toEqual([row]);
});

test('the next of a key goes when what became of the one before it is written, and not before', async () => {
  model.addEndpoint(1, 0, 4);
  isWrittenAtOnce = false;
  const [first, second] = rows(1, 2).map((row, i) => ({
    ...row,
    order: { key: 7, seq: i + 1, behindSeq: i === 0 ? null : i, isPaused: false },
  }));
  await admit([first!, second!]);
  await time.pass(100);
  expect(settled.map((attempt) => attempt.eventUuid)).toEqual([first!.eventUuid]);
  desks.settled(settled[0]!, true);
  await time.pass(100);
  expect(settled.map((attempt) => attempt.eventUuid)).toEqual([first!.eventUuid, second!.eventUuid]);
});

test('endpoints that are ready send in turn', async () => {
  for (const num of [1, 2]) model.addEndpoint(num, 0, 4);
  const order: number[] = [];
  sender.onSend = (sent) => order.push(sent.endpointNum);
  await admit([...rows(1, 3), ...rows(2, 3)]);
  expect(order).toEqual([1, 2, 1, 2, 1, 2]);
});

test('casts that take long leave the event loop to the deliveries of others, and to their casts, one after the other (G4)', async () => {
  const pinned = [1, 2, 3, 4, 5];
  for (const num of pinned) model.addEndpoint(num, 0, 4);
  for (const num of [6, 7]) Object.assign(model.addEndpoint(num, 0, 4), { tenantNum: 2 });
  const all = [...pinned, 6, 7].map((num) => desks.list.of(num, 0));
  await desks.loadTargets(all);
  const casts: string[] = [];
  const sent: number[] = [];
  for (const desk of all) {
    desk.cast = (bytes, ledger) => {
      casts.push(`${desk.num} at ${time.now}`);
      ledger.paid(desk.tenantNum, desk.num === 7 ? 300 : 300_000);
      return bytes;
    };
  }
  all[5]!.cast = null;
  sender.onSend = ({ endpointNum }) => sent.push(endpointNum);
  const given = [...pinned.flatMap((num) => rows(num, 1)), ...rows(6, 1, 2), ...rows(7, 1, 2)];
  desks.admit(given, new Map(given.map((row) => [row.eventUuid, body])), () => lane);
  // At once: one cast, and what needs none.
  expect([casts, sent]).toEqual([['1 at 0'], [1, 6]]);
  await time.pass(1_000);
  // The other tenant's comes before the second of the first, and no two that take long come at once.
  expect(casts[1]).toMatch(/^7 /);
  expect([...sent].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(new Set(casts.map((cast) => cast.slice(cast.indexOf('at')))).size).toBe(6);
});

test('no more is under way than the process, the tenant and the endpoint are given, and the room is used again as it comes free', async () => {
  model.addEndpoint(1, 0, 2);
  model.addEndpoint(2, 0, 20);
  await admit([...rows(1, 4), ...rows(2, 8)]);
  expect(sender.underWay.get(1)).toBe(2);
  // Three quarters for one tenant: the rest is for the next.
  expect(sender.inFlight).toBe(0.75 * MAX_IN_FLIGHT);
  await time.pass(100);
  expect(settled).toHaveLength(12);
  expect(lane.rowsInMemory).toBe(0);
});

test('memory is short at three quarters of the rows, or at the bytes allowed, whichever comes first', async () => {
  for (const num of [1, 2]) model.addEndpoint(num, 0, 20);
  answerAfterMs = 1_000;
  await admit([...rows(1, 6), ...rows(2, 6)]);
  expect([desks.memory.freeRows, desks.memory.hasRowsFree]).toEqual([4, true]);
  await admit(rows(1, 1, 2));
  expect([desks.memory.freeRows, desks.memory.hasRowsFree]).toEqual([3, false]);
  await time.pass(3_000);
  expect([desks.memory.freeRows, desks.memory.hasRowsFree]).toEqual([16, true]);
  body = { ...body, body: Buffer.alloc(600) };
  await admit(rows(1, 2));
  expect(desks.memory.hasRowsFree).toBe(false);
  await time.pass(3_000);
  expect(desks.memory.hasRowsFree).toBe(true);
});

test('a process that is busy waits for its pause from one fetch to the next; memory is not short for that', async () => {
  // Few rows fit here: the pause is as much shorter.
  pauseMs = 25 * (1_024 / MAX_IN_FLIGHT);
  expect(desks.memory.isFetchDue).toBe(true);
  desks.memory.noteFetch(performance.now());
  expect([desks.memory.isFetchDue, desks.memory.hasRowsFree]).toEqual([false, true]);
  await time.pass(24);
  expect(desks.memory.isFetchDue).toBe(false);
  await time.pass(1);
  expect(desks.memory.isFetchDue).toBe(true);
});

test('a tenant has three quarters of the rows and of the bytes at most, so that the next one always finds place', async () => {
  for (const num of [1, 2, 3]) model.addEndpoint(num, 0, 20);
  answerAfterMs = 1_000;
  await admit([...rows(1, 8), ...rows(2, 8)]);
  expect([desks.memory.freeRows, desks.tableWrites.takeParked(desks.isInMemory).length]).toEqual([4, 4]);
  expect([desks.memory.tenantMayHaveMore(1), desks.memory.tenantMayHaveMore(2)]).toEqual([false, true]);
  await admit(rows(3, 1, 2));
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toEqual([]);
  await time.pass(3_000);
  body = { ...body, body: Buffer.alloc(400) };
  await admit(rows(1, 5));
  expect([desks.memory.freeRows, desks.memory.tenantMayHaveMore(1), desks.memory.tenantMayHaveMore(2)]).toEqual([
    14,
    false,
    true,
  ]);
});

test('an endpoint with more than its share here has the rest returned to the table, to be parked', async () => {
  for (const num of [1, 2]) model.addEndpoint(num, 0, 1);
  answerAfterMs = 1_000;
  await admit(rows(2, 1));
  await admit(rows(1, 15));
  const overflow = desks.tableWrites.takeParked(desks.isInMemory);
  expect(overflow.length).toBeGreaterThan(0);
  expect(overflow.every((row) => row.endpointNum === 1)).toBe(true);
  expect(desks.list.get(1)!.hasParked).toBe(true);
  expect(desks.list.get(1)!.rowsInMemory + overflow.length).toBe(15);
  // Half of the rows that fit, with one other endpoint there, although the tenant may have more.
  expect(desks.list.get(1)!.rowsInMemory).toBe(8);
});

test('what a closed endpoint has in memory is returned to the table and not sent', async () => {
  model.addEndpoint(1, 0, 1);
  await admit(rows(1, 3));
  model.change(1, { enabled: false });
  await desks.loadTargets([desks.list.get(1)!]);
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toHaveLength(2);
  await time.pass(100);
  expect(settled).toHaveLength(1);
  expect(lane.rowsInMemory).toBe(0);
});

test('what waits for its turn at an endpoint that shuts meanwhile is returned to the table when that comes, and keeps no place', async () => {
  model.addEndpoint(1, 0, 20);
  model.addEndpoint(2, 0, 1);
  answerAfterMs = 1_000;
  // The tenant has as many requests under way as it may.
  await admit(rows(1, 6));
  await admit(rows(2, 2));
  expect(desks.list.get(2)!.waiting.length).toBe(2);
  // It shuts without anybody saying so to the desk, as for a clock that steps back.
  vi.spyOn(desks.list.get(2)!.gate!, 'closedUntilMs').mockReturnValue(Number.MAX_SAFE_INTEGER);
  await time.pass(1_500);
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toHaveLength(2);
  expect([desks.list.get(2)!.waiting.length, lane.rowsInMemory]).toEqual([0, 0]);
});

test('a row that came back into memory before it was parked is not parked', async () => {
  model.addEndpoint(1, 0, 1);
  const given = rows(1, 3);
  await admit(given);
  model.change(1, { enabled: false });
  await desks.loadTargets([desks.list.get(1)!]);
  model.change(1, { enabled: true });
  await admit(given);
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toEqual([]);
});

test('an expunged payload is not sent: its delivery is cancelled', async () => {
  model.addEndpoint(1, 0, 1);
  body = { ...body, expunged: true };
  await admit(rows(1, 1));
  expect(settled).toMatchObject([
    { outcome: { kind: 'skipped', reason: 'payload_expunged' }, decision: { kind: 'cancel' }, attempt: 1 },
  ]);
  expect(sender.inFlight).toBe(0);
});

test('a lane that is dropped keeps nothing waiting, and what is under way is still settled', async () => {
  model.addEndpoint(1, 0, 2);
  const sent: string[] = [];
  sender.onSend = ({ key }) => sent.push(key);
  const given = rows(1, 5);
  await admit(given);
  desks.dropLane(0);
  expect(lane.rowsInMemory).toBe(2);
  await time.pass(100);
  expect(settled.map(keyOf)).toEqual(given.slice(0, 2).map(keyOf));
  expect(sent).toHaveLength(2);
  expect([desks.memory.freeRows, lane.rowsInMemory]).toEqual([16, 0]);
});

test('a delivery that cannot be prepared closes its endpoint, and others go on', async () => {
  for (const num of [1, 2]) model.addEndpoint(num, 0, 2);
  await desks.loadTargets([1, 2].map((num) => desks.list.of(num, 0)));
  desks.list.get(1)!.keys = null as never;
  const given = [...rows(1, 2), ...rows(2, 2)];
  desks.admit(given, new Map(given.map((row) => [row.eventUuid, body])), () => lane);
  await time.pass(100);
  expect(settled.map(({ endpointNum }) => endpointNum)).toEqual([2, 2]);
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toHaveLength(2);
  expect(desks.list.get(1)!.isStale(1, 0)).toBe(true);
});

test('while names resolve for nobody no breaker opens, and no delivery moves on in its schedule', async () => {
  const nums = Array.from({ length: 10 }, (_, i) => i + 1);
  for (const num of nums) model.addEndpoint(num, 0, 2);
  const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
  outcome = { kind: 'unreachable', reason: 'dns', detail: '', timing };
  await admit(nums.flatMap((num) => rows(num, 1)));
  await time.pass(2_000);
  // Nine failed before there were enough to conclude from.
  expect(settled.filter(({ decision }) => decision.kind === 'retry')).toHaveLength(9);
  for (let round = 0; round < 12; round++) {
    await admit(nums.flatMap((num) => rows(num, 1)));
    await time.pass(2_000);
  }
  expect(settled).toHaveLength(130);
  expect(new Set(settled.slice(10).map(({ decision }) => decision.kind))).toEqual(new Set(['postpone']));
  expect(nums.map((num) => desks.list.get(num)!.gate!.phaseAt(model.now))).toEqual(nums.map(() => 'closed'));
});

test('an endpoint that answers 410 gets nothing more, although its settings still say that it is enabled', async () => {
  model.addEndpoint(1, 0, 1);
  outcome = answered(410);
  await admit(rows(1, 3));
  await time.pass(500);
  expect(settled.map(({ decision }) => decision.kind)).toEqual(['disable']);
  expect(desks.tableWrites.takeParked(desks.isInMemory)).toHaveLength(2);
});

test('of many that an endpoint answers 410 at once the table hears once, and all are dead letters', async () => {
  model.addEndpoint(1, 0, 6);
  outcome = answered(410);
  disablingMs = 5;
  await admit(rows(1, 6));
  expect(sender.inFlight).toBe(6);
  await time.pass(500);
  expect(disablings).toBe(1);
  expect(settled.map(({ decision }) => decision.kind)).toEqual(Array(6).fill('disable'));
});

test('what comes for an endpoint that has answered 410 is not sent, although its settings were not read anew yet', async () => {
  model.addEndpoint(1, 0, 1);
  outcome = answered(410);
  await admit(rows(1, 1));
  await time.pass(500);
  const late = rows(1, 2);
  desks.admit(late, new Map(late.map((row) => [row.eventUuid, body])), () => lane);
  await time.pass(500);
  expect(settled).toHaveLength(1);
  expect(desks.tableWrites.takeParked(desks.isInMemory).map(keyOf)).toEqual(late.map(keyOf));
});

test.each([
  ['cast', 'well', 0],
  ['key', 'well', 0],
  ['cast', 'served carefully', CAREFUL_FROM],
  ['key', 'served carefully', CAREFUL_FROM],
] as const)(
  'a delivery whose event is damaged fails alone, found out by its %s in a lane that is %s: the others of its endpoint go on',
  async (by, _, crashes) => {
    await careful.review([{ ...lane.lease, crashes }]);
    model.addEndpoint(1, 0, 2);
    const given = rows(1, 3);
    const desk = desks.list.of(1, 0);
    await desks.loadTargets([desk]);
    const damaged: EventBody = { ...body, body: Buffer.from('{"id":') };
    const whole: EventBody = { ...body, body: Buffer.from('{"id":"e","type":"a.b","data":{}}') };
    if (by === 'cast') desk.cast = (bytes) => Buffer.from(JSON.stringify(JSON.parse(Buffer.from(bytes).toString())));
    else {
      const destination = { type: 'rabbitmq', routing: { from: 'type' } } as never;
      desk.target = { ...desk.target!, destination };
    }
    desks.admit(given, new Map(given.map((row, i) => [row.eventUuid, i === 0 ? damaged : whole])), () => lane);
    await time.pass(100);
    expect(settled.map(({ outcome, decision }) => [outcome.kind, decision.kind])).toEqual([
      ['blocked', 'retry'],
      ['delivered', 'done'],
      ['delivered', 'done'],
    ]);
    // What was thrown may quote the payload.
    expect(settled[0]!.outcome).toMatchObject({ detail: expect.not.stringContaining('id') });
    expect([desk.problem, desks.tableWrites.takeParked(desks.isInMemory)]).toEqual([null, []]);
    expect([desk.inFlight, desks.inFlight, desks.inMemory.size]).toEqual([0, 0, 0]);
  },
);

test.each([
  ['well', 0],
  ['served carefully', CAREFUL_FROM],
] as const)(
  'where an endpoint is at fault all that waits for it is parked, in a lane that is %s',
  async (_, crashes) => {
    await careful.review([{ ...lane.lease, crashes }]);
    model.addEndpoint(1, 0, 2);
    const desk = desks.list.of(1, 0);
    await desks.loadTargets([desk]);
    desk.keys = undefined as never;
    const given = rows(1, 5);
    desks.admit(given, new Map(given.map((row) => [row.eventUuid, body])), () => lane);
    await time.pass(100);
    expect(desk.problem).not.toBeNull();
    expect(desks.tableWrites.takeParked(desks.isInMemory).map(keyOf).sort()).toEqual(given.map(keyOf).sort());
    expect([settled, desk.inFlight, desks.inFlight, desks.inMemory.size]).toEqual([[], 0, 0, 0]);
  },
);

test('an endpoint is forgotten only when it has long had nothing to do', async () => {
  model.addEndpoint(1, 0, 2);
  desks.list.of(1, 0);
  await time.pass(1_000);
  desks.list.forgetIdle();
  expect(desks.list.get(1)).toBeDefined();
  await time.pass(20_000);
  desks.list.of(2, 0).markParked();
  await time.pass(20_000);
  desks.list.forgetIdle();
  expect([desks.list.get(1), desks.list.get(2)?.num]).toEqual([undefined, 2]);
});

test('an endpoint whose gate is not saved yet is not forgotten, however long it has had nothing to do', async () => {
  model.addEndpoint(1, 0, 2);
  outcome = answered(500);
  await admit(rows(1, 1));
  await time.pass(20_000);
  desks.list.forgetIdle();
  expect(desks.list.get(1)?.gate?.isDirty).toBe(true);
  desks.list.get(1)!.gate!.markSaved();
  desks.list.forgetIdle();
  expect(desks.list.get(1)).toBeUndefined();
});

test('a row that has waited and is gone from the mailbox meanwhile is not sent any more', async () => {
  model.addEndpoint(1, 0, 1);
  answerAfterMs = 1_000;
  const given = rows(1, 3);
  const cancelled = given[1]!;
  stillWaiting = (asked) => asked.filter((row) => row.eventUuid !== cancelled.eventUuid);
  await admit(given);
  await time.pass(5_000);
  expect(settled.map(({ eventUuid }) => eventUuid)).toEqual([given[0]!.eventUuid, given[2]!.eventUuid]);
  expect([desks.memory.freeRows, desks.memory.hasRowsFree]).toEqual([16, true]);
});

test('G5: what stands behind a row that is gone goes back to the table, which knows whether its key waits for a person', async () => {
  model.addEndpoint(1, 0, 1);
  answerAfterMs = 1_000;
  const [busy, ...ordered] = rows(1, 3).map((row, i) => ({
    ...row,
    order: i === 0 ? null : { key: 7, seq: i, behindSeq: i === 1 ? null : 1, isPaused: false },
  }));
  stillWaiting = (asked) => asked.filter((row) => row.eventUuid !== ordered[0]!.eventUuid);
  await admit([busy!, ...ordered]);
  await time.pass(5_000);
  expect(settled.map(({ eventUuid }) => eventUuid)).toEqual([busy!.eventUuid]);
  expect(desks.tableWrites.takeBehind(desks.isInMemory)).toEqual([ordered[1]]);
  expect(desks.tableWrites.takeAsked()).toEqual([{ endpointNum: 1, key: 7 }]);
});

test('rows that could not be looked for are looked for again, and sent', async () => {
  model.addEndpoint(1, 0, 1);
  answerAfterMs = 1_000;
  let looks = 0;
  stillWaiting = (asked) => {
    if (++looks === 1) throw new Error('Postgres is away');
    return asked;
  };
  await admit(rows(1, 2));
  await time.pass(3_000);
  expect([looks, settled.length]).toEqual([1, 1]);
  await lookAgain();
  await time.pass(3_000);
  expect([looks, settled.length]).toEqual([2, 2]);
});

/**
 * An endpoint that takes one at once has a replayed delivery here that may not begin, since replays have their share of the slots; of these
 * classes more is parked.
 */
async function keepOut(parked: readonly DeliveryClass[]): Promise<void> {
  answerAfterMs = 60_000;
  model.addEndpoint(1, 0, 4);
  model.addEndpoint(2, 0, 1);
  const replays = (num: number, count: number, tenantNum: number) =>
    rows(num, count, tenantNum).map((row) => ({ ...row, isReplay: true }));
  await admit(replays(1, 4, 1));
  model.addEndpoint(3, 0, 3).tenantNum = 3;
  await admit(rows(3, 3, 3));
  await admit(replays(2, 1, 2));
  for (const kind of parked) desks.list.get(2)!.parked[kind].mark();
  expect([sender.inFlight, desks.list.get(2)!.waiting.length, desks.memory.hasRowsFree]).toEqual([7, 1, true]);
  await time.pass(1_500);
}

test.each([
  ['goes back while it is crowded, and keeps out no first attempts of its endpoint', true, ['first'], 0],
  ['stays while it is crowded, if nothing else of its endpoint is parked', true, ['replay'], 1],
  ['stays while it is not crowded: what is parked is read beside it', false, ['first'], 1],
] as const)('a replayed delivery that finds no slot %s', async (_what, isOn, parked, left) => {
  const crowded = vi.spyOn(desks.crowding, 'isOn', 'get').mockReturnValue(isOn);
  await keepOut(parked);
  desks.relieve();
  expect(desks.list.get(2)!.waiting.length).toBe(left);
  expect(desks.list.get(2)!.freeSendSlots(time.now)).toBe(1 - left);
  crowded.mockRestore();
});

test('a delivery that waits for a moment for its rate alone stays while it is crowded', async () => {
  answerAfterMs = 60_000;
  model.addEndpoint(1, 0, 2).rateLimit = { perSecond: 6, burst: 1 };
  const crowded = vi.spyOn(desks.crowding, 'isOn', 'get').mockReturnValue(true);
  await admit(rows(1, 2));
  desks.list.get(1)!.parked.retry.mark();
  await time.pass(100);
  desks.relieve();
  expect(desks.list.get(1)!.waiting.length).toBe(1);
  crowded.mockRestore();
});
