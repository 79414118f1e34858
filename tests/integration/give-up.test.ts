import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid, uuidFloor } from '../../src/domain/ids.ts';
import type { Decision, Outcome } from '../../src/domain/outcome.ts';
import { DECISION, NOTICE_CODES, OUTCOME_CODES } from '../../src/store/codes.ts';
import { isOfDroppedDay } from '../../src/store/data-errors.ts';
import { readDeliveries } from '../../src/store/delivery-reads.ts';
import { endDeliveriesOfDroppedDays, giveUp } from '../../src/store/give-up.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { logEvent, makeEndpoint, makeTenant, type TestEndpoint, type TestTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;
let endpoint: TestEndpoint;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
});

afterAll(() => service.stop());

beforeEach(async () => {
  endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
});

const query = async (text: string, values: unknown[] = []) =>
  (await service.context.workerPool.query(text, values)).rows;

/** Waits as the one of its key that may go, or behind it. */
async function addRow(eventUuid: string, isBehind = false, made = 3): Promise<string> {
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, attempt, order_key, seq)
     VALUES ($1, CASE WHEN $4 THEN 'infinity' ELSE now() - interval '1 ms' END, $2, $3, 0, $4, $5, 7, nextval('mailbox_seq'))`,
    [eventUuid, endpoint.num, tenant.num, isBehind, made],
  );
  return eventUuid;
}

const timing = { dnsMs: 1, connectMs: 1, firstByteMs: 1, totalMs: 1 };
const unreachable: Outcome = { kind: 'unreachable', reason: 'tls', detail: 'at fault', timing };
const response = { status: 200, headers: {}, body: Buffer.alloc(0), truncated: false };

function attemptOf(eventUuid: string, outcome: Outcome, decision: Decision): SettledAttempt {
  return {
    eventUuid,
    endpointNum: endpoint.num,
    tenantNum: tenant.num,
    lane: 0,
    attempt: 4,
    isReplay: false,
    startedAtMs: Date.now(),
    outcome,
    decision,
    notice: outcome.kind === 'delivered' ? null : 'delivery.failing',
    mayPauseKey: false,
  };
}

const give = (attempt: SettledAttempt) => giveUp(service.context.workerPool, attempt, '22021');
const attempts = (eventUuid: string) =>
  query('SELECT attempt, outcome, decision, detail FROM attempts WHERE event_id = $1 ORDER BY attempt', [eventUuid]);
const waiting = () =>
  query('SELECT event_id, parked FROM mailbox WHERE endpoint_num = $1 ORDER BY seq', [endpoint.num]);
const retry: Decision = { kind: 'retry', delayMs: 1_000 };

test('G2: a delivery whose attempt cannot be recorded ends as a dead letter that says why, which is told, and the next in order goes', async () => {
  const first = await addRow(await logEvent(service, tenant));
  const next = await addRow(await logEvent(service, tenant), true);
  expect(await give(attemptOf(first, unreachable, retry))).toEqual({ mayPauseKey: false, isDeadLetter: true });
  expect(await attempts(first)).toEqual([
    { attempt: 4, outcome: OUTCOME_CODES.tls, decision: DECISION.deadLetter, detail: expect.stringContaining('22021') },
  ]);
  expect(await waiting()).toEqual([{ event_id: next, parked: false }]);
  expect(await query('SELECT kind FROM system_notices WHERE event_id = $1', [first])).toEqual([
    { kind: NOTICE_CODES['delivery.dead_lettered'] },
  ]);
});

const MOST_ATTEMPTS = 32_767;
const postpone: Decision = { kind: 'postpone', delayMs: 5_000 };

const putOff = (eventUuid: string, attempt: number) =>
  query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail, next_attempt_at)
     VALUES ($1, now(), $2, $3, $4, $5, $6, 'put off', now())`,
    [eventUuid, endpoint.num, tenant.num, attempt, OUTCOME_CODES.network, DECISION.postpone],
  );

test('G2: a delivery that was put off until its attempts cannot be counted any more ends as a dead letter that is on record and told', async () => {
  const { workerPool, apiPool } = service.context;
  const first = await addRow(await logEvent(service, tenant), false, MOST_ATTEMPTS);
  await putOff(first, MOST_ATTEMPTS);
  const attempt: SettledAttempt = {
    ...attemptOf(first, unreachable, postpone),
    attempt: MOST_ATTEMPTS + 1,
    notice: null,
  };
  await query('UPDATE lanes SET epoch = 1 WHERE lane = 0');
  const refused = await settle(workerPool, [{ lane: 0, epoch: 1 }], [attempt]).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: '22003' });
  await give(attempt);
  expect(await attempts(first)).toEqual([
    {
      attempt: MOST_ATTEMPTS,
      outcome: OUTCOME_CODES.tls,
      decision: DECISION.deadLetter,
      detail: expect.stringContaining('22021'),
    },
  ]);
  expect(await readDeliveries(apiPool, tenant.num, [{ eventUuid: first, endpointNum: endpoint.num }])).toMatchObject([
    { status: 'dead_lettered', nextAttemptAt: null },
  ]);
  expect(await query('SELECT kind FROM system_notices WHERE event_id = $1', [first])).toEqual([
    { kind: NOTICE_CODES['delivery.dead_lettered'] },
  ]);
});

test('where another attempt is on record under its number, that stays, and the end comes under the next', async () => {
  const first = await addRow(await logEvent(service, tenant));
  await putOff(first, 4);
  await give(attemptOf(first, unreachable, retry));
  expect(await attempts(first)).toMatchObject([
    { attempt: 4, decision: DECISION.postpone, detail: 'put off' },
    { attempt: 5, decision: DECISION.deadLetter },
  ]);
  expect(await query('SELECT attempt FROM system_notices WHERE event_id = $1', [first])).toEqual([{ attempt: 5 }]);
});

test('a dead letter is told although its attempt was none to tell of; that of a system event is not', async () => {
  const [plain, ofSystem] = [
    await addRow(await logEvent(service, tenant)),
    await addRow(await logEvent(service, tenant)),
  ];
  await query(`UPDATE events SET type = 'system.delivery.failing' WHERE id = $1`, [ofSystem]);
  for (const uuid of [plain, ofSystem]) await give({ ...attemptOf(uuid, unreachable, retry), notice: null });
  expect(await query('SELECT event_id FROM system_notices WHERE event_id = ANY ($1)', [[plain, ofSystem]])).toEqual([
    { event_id: plain },
  ]);
});

test('one that was delivered is on record as delivered, and nobody is told of a dead letter', async () => {
  const first = await addRow(await logEvent(service, tenant));
  await give(attemptOf(first, { kind: 'delivered', response, timing }, { kind: 'done' }));
  expect(await attempts(first)).toMatchObject([{ outcome: OUTCOME_CODES.delivered, decision: DECISION.done }]);
  expect(await query('SELECT 1 FROM system_notices WHERE event_id = $1', [first])).toEqual([]);
});

test('where a dead letter pauses its key, one whose attempt cannot be recorded does too', async () => {
  await query(`UPDATE endpoints SET on_dead_letter = 'pause' WHERE num = $1`, [endpoint.num]);
  const first = await addRow(await logEvent(service, tenant));
  const next = await addRow(await logEvent(service, tenant), true);
  expect(await give(attemptOf(first, unreachable, retry))).toEqual({ mayPauseKey: true, isDeadLetter: true });
  expect(await waiting()).toEqual([{ event_id: next, parked: true }]);
  expect(await query('SELECT event_id FROM paused_keys WHERE endpoint_num = $1', [endpoint.num])).toEqual([
    { event_id: first },
  ]);
});

test('one whose day was dropped goes with its event, and the next in order goes', async () => {
  const old = await addRow(uuidFloor(Date.UTC(2001, 0, 1)).replace(/0$/, '1'));
  const next = await addRow(newUuid(Date.now()), true);
  expect(await give(attemptOf(old, unreachable, retry))).toEqual({ mayPauseKey: false, isDeadLetter: false });
  expect(await waiting()).toEqual([{ event_id: next, parked: false }]);
});

test('of a day that was dropped Postgres refuses every attempt, by which they are told; all go with their events, and the next in order', async () => {
  const { workerPool } = service.context;
  const old = [1, 2].map((n) => uuidFloor(Date.UTC(2001, 0, 1)).replace(/0$/, String(n)));
  for (const [i, uuid] of old.entries()) await addRow(uuid, i > 0);
  const next = await addRow(newUuid(Date.now()), true);
  const made = old.map((uuid) => attemptOf(uuid, unreachable, retry));
  await query('UPDATE lanes SET epoch = 1 WHERE lane = 0');
  const refused = await settle(workerPool, [{ lane: 0, epoch: 1 }], made).catch((error: unknown) => error);
  expect(isOfDroppedDay(refused)).toBe(true);
  await endDeliveriesOfDroppedDays(workerPool, made);
  expect(await waiting()).toEqual([{ event_id: next, parked: false }]);
});

test('one that has moved on meanwhile is not taken with its day', async () => {
  const old = await addRow(uuidFloor(Date.UTC(2001, 0, 1)).replace(/0$/, '1'));
  await query('UPDATE mailbox SET attempt = 9 WHERE event_id = $1 AND endpoint_num = $2', [old, endpoint.num]);
  await endDeliveriesOfDroppedDays(service.context.workerPool, [attemptOf(old, unreachable, retry)]);
  expect(await waiting()).toMatchObject([{ event_id: old }]);
});

test('G5: given up once more, because the first answer was lost, it is said that its key may wait for a person: only the table knows', async () => {
  await query(`UPDATE endpoints SET on_dead_letter = 'pause' WHERE num = $1`, [endpoint.num]);
  const attempt = attemptOf(await addRow(await logEvent(service, tenant)), unreachable, retry);
  expect(await give(attempt)).toEqual({ mayPauseKey: true, isDeadLetter: true });
  expect(await give(attempt)).toEqual({ mayPauseKey: true, isDeadLetter: false });
  expect(await attempts(attempt.eventUuid)).toHaveLength(1);
});

test('one that was cancelled meanwhile changes nothing, and only the table knows who is next of its key', async () => {
  const uuid = await logEvent(service, tenant);
  expect(await give(attemptOf(uuid, unreachable, retry))).toEqual({ mayPauseKey: true, isDeadLetter: false });
  expect(await attempts(uuid)).toEqual([]);
});
