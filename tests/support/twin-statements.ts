import fc from 'fast-check';
import type { Decision } from '../../src/domain/outcome.ts';
import { CLASSES, type DueDelivery } from '../../src/store/mailbox.ts';
import type { ParkedRows } from '../../src/store/park.ts';
import type { SettledAttempt } from '../../src/store/settle.ts';
import { answered } from '../../src/workers/fixtures/fake-sender.ts';
import type { ModelRow } from '../../src/workers/fixtures/mailbox-model.ts';
import { classOf } from '../../src/workers/letter-queue.ts';
import type { TableTwins } from './table-twins.ts';
import * as acts from './twin-acts.ts';
import {
  aCursor,
  aRow,
  aWorker,
  cursorOf,
  leasesOf,
  rowOf,
  rowsOf,
  someLanes,
  someRows,
  workerOf,
} from './twin-picks.ts';

/** A statement with what was drawn for it. */
export interface Step {
  run(twins: TableTwins): Promise<unknown>;
}

function step<D>(name: string, draw: fc.Arbitrary<D>, run: (twins: TableTwins, drawn: D) => Promise<unknown>) {
  const made = (drawn: D): Step & fc.WithToStringMethod => ({
    run: (twins) => run(twins, drawn),
    [fc.toStringMethod]: () => `${name} ${JSON.stringify(drawn)}`,
  });
  return draw.map(made);
}

const nothing = () => null;
const itself = <T>(answer: T): T => answer;
const byKey = <T extends { readonly eventUuid: string; readonly endpointNum: number }>(rows: readonly T[]) =>
  rows.map(({ eventUuid, endpointNum }) => `${endpointNum} ${eventUuid}`).sort();
const inOrder = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);
const aNum = fc.integer({ min: 1, max: 5 });
const someNums = fc.uniqueArray(aNum, { maxLength: 3 });
const aLimit = fc.integer({ min: 1, max: 5 });
const laneNumbers = fc.subarray([0, 1, 2], { minLength: 1 });
/** As it was read, but for what nobody asks of it. */
const asRead = (row: ModelRow, attempt = row.attempt) => ({ ...row, attempt }) as unknown as DueDelivery;

const add = step(
  'add',
  fc.record({
    num: aNum,
    count: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 4 }) },
      { weight: 1, arbitrary: fc.constant(20) },
    ),
    dueInMs: fc.integer({ min: -30, max: 10 }),
    isReplay: fc.boolean(),
  }),
  (twins, { num, count, dueInMs, isReplay }) => acts.add(twins, num, count, dueInMs, isReplay),
);

const pass = step(
  'pass',
  fc.oneof(
    { weight: 8, arbitrary: fc.nat(200).map((quarters) => quarters / 4) },
    { weight: 2, arbitrary: fc.constantFrom(1_000, 7_999.75, 8_000.25, 60_000.5, 300_000, 600_001) },
  ),
  (twins, ms) => twins.pass(ms),
);

const acquire = step('acquire', fc.record({ worker: fc.nat(2), lanes: laneNumbers }), (twins, { worker, lanes }) =>
  acts.acquire(twins, workerOf(worker), lanes),
);

const heartbeat = step('heartbeat', fc.record({ worker: aWorker, lanes: someLanes }), (twins, { worker, lanes }) => {
  const leases = leasesOf(twins, lanes);
  return twins.ask(
    workerOf(worker, leases),
    (store) => store.heartbeat(leases),
    ({ held, crashed, workers }) => [inOrder(held), inOrder(crashed), workers],
  );
});

const release = step(
  'release',
  fc.record({
    worker: aWorker,
    lanes: someLanes,
    isDone: fc.boolean(),
    wakeInMs: fc.option(fc.constantFrom(0, 20.4, 5_000, 400_000), { nil: undefined }),
  }),
  (twins, { worker, lanes, isDone, wakeInMs }) => {
    const leases = leasesOf(twins, lanes).map((lease) => ({
      ...lease,
      isDone,
      ...(wakeInMs === undefined ? {} : { wakeInMs }),
    }));
    return twins.ask(workerOf(worker, leases), (store) => store.release(leases), nothing);
  },
);

const fetchDue = step(
  'fetchDue',
  fc.record({
    lanes: laneNumbers,
    after: aCursor,
    limit: aLimit,
    endpoints: someNums,
    rows: someRows,
    tenants: someNums,
  }),
  (twins, { lanes, after, limit, endpoints, rows, tenants }) => {
    const fetches = lanes.map((lane) => ({ lane, limit, after: cursorOf(twins, after, (row) => row.lane === lane) }));
    const over = { endpoints, tenants: tenants.length > 2 ? [tenants[0]! % 2] : [], rows: rowsOf(twins, rows) };
    twins.scanFor(fetches.length, over.rows.length);
    return twins.ask(
      workerOf(0),
      (store) => store.fetchDue(fetches, over),
      (answer) => ({
        rows: answer.rows.map(plainRow),
        stops: [...answer.stops].map(([lane, { dueAtMs, eventUuid, endpointNum }]) => [
          lane,
          dueAtMs,
          eventUuid,
          endpointNum,
        ]),
      }),
    );
  },
);

const fetchParked = step(
  'fetchParked',
  fc.record({ nums: someNums, after: aCursor, limit: aLimit, held: someRows }),
  (twins, { nums, after, limit, held }) => {
    const { model } = twins;
    const fetches = nums.flatMap((endpointNum) =>
      CLASSES.map((kind) => {
        const isMeant = (row: ModelRow) => row.endpointNum === endpointNum && classOf(row) === kind;
        const { lane } = model.endpoints.get(endpointNum)!;
        return { lane, endpointNum, kind, after: cursorOf(twins, after, isMeant), limit };
      }),
    );
    const rows = rowsOf(twins, held);
    // What is told of different classes comes in any order.
    const plain = (answer: readonly DueDelivery[]) =>
      fetches.map(({ endpointNum, kind }) =>
        answer.filter((row) => row.endpointNum === endpointNum && classOf(row) === kind).map(plainRow),
      );
    return twins.ask(workerOf(0), (store) => store.fetchParked(fetches, rows), plain);
  },
);

function plainRow(row: DueDelivery) {
  const {
    eventUuid,
    endpointNum,
    tenantNum,
    lane,
    attempt,
    step,
    dueAtMs,
    isReplay,
    endpointVersion,
    isParked,
    order,
  } = row;
  return {
    eventUuid,
    endpointNum,
    tenantNum,
    lane,
    attempt,
    step,
    dueAtMs,
    isReplay,
    endpointVersion,
    isParked,
    order,
  };
}

/** Of some it was decided before their last attempt was made. */
const someDecisions = fc.record({ worker: aWorker, lanes: someLanes, rows: someRows, isLate: fc.boolean() });

const decidedOf = (twins: TableTwins, rows: readonly number[], isLate: boolean): DueDelivery[] =>
  rowsOf(twins, rows).map((row, i) => {
    const read = asRead(row);
    return isLate && i === 0 && read.attempt > 0 ? { ...read, attempt: read.attempt - 1 } : read;
  });

const park = step('park', someDecisions, (twins, { worker, lanes, rows, isLate }) => {
  const leases = leasesOf(twins, lanes);
  const given = decidedOf(twins, rows, isLate);
  return twins.ask(workerOf(worker, leases), (store) => store.park(leases, given), countsOf);
});

const setBehind = step('setBehind', someDecisions, (twins, { worker, lanes, rows, isLate }) => {
  const leases = leasesOf(twins, lanes);
  const given = decidedOf(twins, rows, isLate);
  return twins.ask(workerOf(worker, leases), (store) => store.setBehind(leases, given), nothing);
});

/** Rows of the same endpoint and class may be told together. */
function countsOf(parked: readonly ParkedRows[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { endpointNum, kind, rows } of parked)
    counts.set(`${endpointNum} ${kind}`, (counts.get(`${endpointNum} ${kind}`) ?? 0) + rows);
  return [...counts].sort();
}

const setAllBehind = step('setAllBehind', aRow, async (twins, pick) => {
  const row = rowOf(twins, pick);
  if (row === undefined) return;
  const leases = (twins.given.get(row.lane) ?? []).slice(-1);
  const ofKey = [...twins.model.rows.values()].filter(
    ({ endpointNum, place }) => endpointNum === row.endpointNum && place?.key === row.place?.key,
  );
  const given = ofKey.map((each) => asRead(each));
  await twins.ask(workerOf(9, leases), (store) => store.setBehind(leases, given), nothing);
});

const parkEndpoints = step(
  'parkEndpoints',
  fc.record({ worker: aWorker, lanes: someLanes, nums: someNums, limit: aLimit, after: aCursor }),
  (twins, { worker, lanes, nums, limit, after }) => {
    const leases = leasesOf(twins, lanes);
    const cursors = leases.map(({ lane }) => [lane, cursorOf(twins, after, (row) => row.lane === lane)] as const);
    twins.scanFor(Math.max(1, leases.length), 0);
    return twins.ask(
      workerOf(worker, leases),
      (store) => store.parkEndpoints(leases, nums, limit, new Map(cursors)),
      ({ parked, ends }) => ({ parked: countsOf(parked), ends: [...ends].sort(([a], [b]) => a - b) }),
    );
  },
);

const promote = step('promote', fc.array(aRow, { maxLength: 4 }), (twins, picks) => {
  const keys = new Map<string, { endpointNum: number; key: number }>();
  for (const { endpointNum, place } of rowsOf(twins, picks))
    if (place !== null) keys.set(`${endpointNum}/${place.key}`, { endpointNum, key: place.key });
  return twins.ask(workerOf(0), (store) => store.promote([...keys.values()]), itself);
});

const promoteAll = step('promoteAll', someNums, (twins, nums) =>
  twins.ask(workerOf(0), (store) => store.promoteAll(nums), itself),
);

const parkedEndpoints = step('parkedEndpoints', laneNumbers, (twins, lanes) =>
  twins.ask(
    workerOf(0),
    (store) => store.parkedEndpoints(lanes),
    (answer) => answer.map(({ lane, endpointNum }) => `${lane} ${endpointNum}`).sort(),
  ),
);

const stillWaiting = step('stillWaiting', fc.array(fc.tuple(aRow, fc.boolean())), (twins, picks) => {
  const rows = new Map<ModelRow, DueDelivery>();
  for (const [pick, isOld] of picks) {
    const row = rowOf(twins, pick);
    if (row !== undefined) rows.set(row, asRead(row, Math.max(0, row.attempt - (isOld ? 1 : 0))));
  }
  return twins.ask(workerOf(0), (store) => store.stillWaiting([...rows.values()]), byKey);
});

const nextDue = step('nextDue', laneNumbers, (twins, lanes) =>
  twins.ask(
    workerOf(0),
    (store) => store.nextDue(lanes),
    (answer) => [...answer].sort(([a], [b]) => a - b),
  ),
);

const aDelay = fc.constantFrom(0, 0.3, 0.5, 12, 5_000);
const aDecision: fc.Arbitrary<Decision> = fc.oneof(
  fc.constant<Decision>({ kind: 'done' }),
  aDelay.map((delayMs): Decision => ({ kind: 'retry', delayMs })),
  aDelay.map((delayMs): Decision => ({ kind: 'postpone', delayMs })),
  fc.constant<Decision>({ kind: 'dead_letter' }),
  fc.constant<Decision>({ kind: 'disable', reason: 'gone' }),
  fc.constant<Decision>({ kind: 'cancel' }),
);
const anEnd = fc.record({
  row: aRow,
  decision: aDecision,
  /** Whether its endpoint was read while dead letters let its keys wait. */
  mayPauseKey: fc.boolean(),
  /** Whether the attempt is on record. */
  isOld: fc.nat(5).map((dice) => dice === 0),
});
type End = typeof anEnd extends fc.Arbitrary<infer E> ? E : never;

export function attemptOf(
  twins: TableTwins,
  { row: pick, decision, mayPauseKey, isOld }: End,
): SettledAttempt | undefined {
  const row = rowOf(twins, pick);
  if (row === undefined) return;
  const { eventUuid, endpointNum, lane, isReplay, place } = row;
  const isDead = decision.kind === 'dead_letter' || decision.kind === 'disable';
  return {
    eventUuid,
    endpointNum,
    tenantNum: twins.model.endpoints.get(endpointNum)!.tenantNum,
    lane,
    attempt: row.attempt + (isOld && row.attempt > 0 ? 0 : 1),
    isReplay,
    startedAtMs: Math.floor(twins.nowMs),
    outcome: answered(decision.kind === 'done' ? 200 : 500),
    decision,
    notice: null,
    mayPauseKey: mayPauseKey && isDead && place !== null,
  };
}

const settle = step(
  'settle',
  fc.record({ worker: aWorker, lanes: someLanes, ends: fc.array(anEnd, { maxLength: 5 }) }),
  (twins, { worker, lanes, ends }) => {
    const leases = leasesOf(twins, lanes);
    const attempts = new Map<string, SettledAttempt>();
    for (const end of ends) {
      const attempt = attemptOf(twins, end);
      if (attempt !== undefined) attempts.set(`${attempt.endpointNum} ${attempt.eventUuid}`, attempt);
    }
    return twins.ask(workerOf(worker, leases), (store) => store.settle(leases, [...attempts.values()]), inOrder);
  },
);

/** Two attempts of one delivery, the second of which comes late where the first has ended it. */
const settleAgain = step('settleAgain', fc.tuple(anEnd, aDecision), async (twins, [end, decision]) => {
  const first = attemptOf(twins, end);
  if (first === undefined) return;
  const leases = (twins.given.get(first.lane) ?? []).slice(-1);
  for (const attempt of [first, { ...first, decision, mayPauseKey: false }])
    await twins.ask(workerOf(9, leases), (store) => store.settle(leases, [attempt]), inOrder);
});

const giveUp = step('giveUp', anEnd, async (twins, end) => {
  const attempt = attemptOf(twins, end);
  if (attempt === undefined) return;
  // What is counted beside it no owner asks for.
  const asAsked = ({ mayPauseKey }: { readonly mayPauseKey: boolean }) => mayPauseKey;
  await twins.ask(workerOf(0), (store) => store.giveUp(attempt, 'refused'), asAsked);
});

const saveEndpointStates = step(
  'saveEndpointStates',
  fc.record({ worker: aWorker, lanes: someLanes, nums: someNums, failures: fc.option(fc.nat(9)) }),
  (twins, { worker, lanes, nums, failures }) => {
    const leases = leasesOf(twins, lanes);
    const states = nums.map((endpointNum) => ({
      endpointNum,
      lane: twins.model.endpoints.get(endpointNum)!.lane,
      gate: failures === null ? null : { failures },
      closedUntilMs: failures === null ? null : Math.floor(twins.nowMs) + failures,
      resets: 0,
      notices: [],
    }));
    return twins.ask(workerOf(worker, leases), (store) => store.saveEndpointStates(leases, states), nothing);
  },
);

const reviewSuspects = step('reviewSuspects', someLanes, (twins, lanes) => acts.review(twins, leasesOf(twins, lanes)));

const putOnTrial = step('putOnTrial', fc.record({ lanes: someLanes, rows: someRows }), (twins, { lanes, rows }) =>
  acts.putOnTrial(twins, leasesOf(twins, lanes), rowsOf(twins, rows)),
);

const clearSuspects = step(
  'clearSuspects',
  fc.record({ worker: aWorker, lanes: someLanes, rows: someRows }),
  (twins, { worker, lanes, rows }) => {
    const leases = leasesOf(twins, lanes);
    const given = rowsOf(twins, rows);
    return twins.ask(workerOf(worker, leases), (store) => store.clearSuspects(leases, given), nothing);
  },
);

const poison = step('poison', aRow, async (twins, pick) => {
  const row = rowOf(twins, pick);
  if (row !== undefined) await acts.poison(twins, row);
});

const cancel = step('cancel', aRow, async (twins, pick) => {
  const row = rowOf(twins, pick);
  if (row !== undefined) await acts.cancel(twins, row);
});

const disableEndpoint = step('disableEndpoint', fc.record({ num: aNum, resets: fc.nat(1) }), (twins, { num, resets }) =>
  twins.ask(workerOf(0), (store) => store.disableEndpoint(num, 'gone', resets), itself),
);

const changeEndpoint = step(
  'changeEndpoint',
  fc.record({ num: aNum, enabled: fc.boolean(), onDeadLetter: fc.constantFrom('continue' as const, 'pause' as const) }),
  (twins, { num, ...change }) => acts.changeEndpoint(twins, num, change),
);

const resume = step('resume', fc.nat(9), (twins, pick) => acts.resume(twins, pick));
const sleepingLanes = step('sleepingLanes', fc.constant(null), (twins) => acts.findSleeping(twins));

/** Any statement that a lane's owner makes, and what others do meanwhile. */
export const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: add },
  { weight: 3, arbitrary: pass },
  { weight: 3, arbitrary: acquire },
  { weight: 2, arbitrary: fc.oneof(heartbeat, release) },
  { weight: 3, arbitrary: fetchDue },
  { weight: 3, arbitrary: fetchParked },
  { weight: 3, arbitrary: park },
  { weight: 3, arbitrary: setBehind },
  { weight: 2, arbitrary: setAllBehind },
  { weight: 3, arbitrary: parkEndpoints },
  { weight: 3, arbitrary: promote },
  { weight: 2, arbitrary: promoteAll },
  { weight: 1, arbitrary: fc.oneof(parkedEndpoints, stillWaiting, nextDue, sleepingLanes) },
  { weight: 5, arbitrary: settle },
  { weight: 2, arbitrary: settleAgain },
  { weight: 2, arbitrary: giveUp },
  { weight: 1, arbitrary: fc.oneof(saveEndpointStates, disableEndpoint, changeEndpoint) },
  { weight: 1, arbitrary: fc.oneof(reviewSuspects, putOnTrial, clearSuspects) },
  { weight: 1, arbitrary: poison },
  { weight: 2, arbitrary: cancel },
  { weight: 1, arbitrary: resume },
);
