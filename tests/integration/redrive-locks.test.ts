import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { expungePayload } from '../../src/store/expunge.ts';
import { purgeDeadLetters } from '../../src/store/purge-dead-letters.ts';
import { retryDelivery } from '../../src/store/redrive.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  logAttempt,
  logEvent,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** The lock that all hold who bring ended deliveries of a tenant back, or end them for good. */
const REDRIVES = 7405;

let service: TestService;
let pool: pg.Pool;

beforeAll(async () => {
  service = await startTestService();
  pool = service.context.apiPool;
});

afterAll(() => service.stop());

interface DeadLetter {
  readonly tenant: TestTenant;
  readonly endpoint: TestEndpoint;
  readonly eventUuid: string;
}

async function deadLetterOf(tenantId: string): Promise<DeadLetter> {
  const tenant = await makeTenant(service, tenantId);
  const endpoint = await makeEndpoint(service, tenant);
  const eventUuid = await logEvent(service, tenant);
  await logAttempt(service, tenant, eventUuid, endpoint, 1, 'timeout', 'deadLetter');
  return { tenant, endpoint, eventUuid };
}

const keyOf = ({ endpoint, eventUuid }: DeadLetter) => ({ eventUuid, endpointNum: endpoint.num });

const retry = (letter: DeadLetter) =>
  retryDelivery(pool, letter.tenant, { ...keyOf(letter), deliveryId: 'dlv_1' }, 0, 'tester');
const purge = (letter: DeadLetter) =>
  purgeDeadLetters(
    pool,
    letter.tenant,
    { keys: [keyOf(letter)] },
    {
      actor: 'tester',
      asked: {},
      budgetMs: 1_000,
      inTurn: (work) => work(),
    },
  );
async function replay({ tenant }: DeadLetter): Promise<unknown> {
  await call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}/replays`, { status: 'dead_lettered' });
  return replayerOf(pool).runOnce();
}

const expunge = ({ tenant, eventUuid }: DeadLetter) =>
  expungePayload(pool, tenant, { uuid: eventUuid, publicId: 'evt_1' }, 'tester', () => Buffer.from('{}'));

test.each([
  ['retry', retry],
  ['purge', purge],
  ['replay', replay],
  ['expunge', expunge],
])(
  '%s: it waits for whoever brings ended deliveries of its tenant back, and for nobody of another tenant',
  async (what, run) => {
    const letter = await deadLetterOf(`acme-${what}`);
    const others = await deadLetterOf(`other-${what}`);
    const holder = await pool.connect();
    onTestFinished(() => holder.release());
    await holder.query('BEGIN');
    await holder.query('SELECT pg_advisory_xact_lock($1, $2)', [REDRIVES, letter.tenant.num]);
    await run(others);
    const done = run(letter);
    const untilBlocked = eventually(
      () => pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`),
      ({ rowCount }) => rowCount === 1,
    );
    expect(await Promise.race([untilBlocked.then(() => 'waits'), done.then(() => 'does not')])).toBe('waits');
    await holder.query('COMMIT');
    await done;
  },
);

const untilWaiting = (sessions: number) =>
  eventually(
    () => pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
    ({ rowCount }) => rowCount === sessions,
  );

test.each([
  ['retry', retry],
  ['replay', replay],
])(
  'no payload is sent any more once its expunge is answered, though a %s was about to bring it back',
  async (what, run) => {
    const letter = await deadLetterOf(`expunged-${what}`);
    const holder = await pool.connect();
    onTestFinished(() => holder.release());
    await holder.query('BEGIN');
    // The statement that makes a delivery wait again comes to this table, after the look at the event.
    await holder.query('LOCK TABLE paused_keys');
    const broughtBack = run(letter);
    await untilWaiting(1);
    const expunged = expunge(letter);
    await untilWaiting(2);
    await holder.query('COMMIT');
    await Promise.all([broughtBack, expunged]);
    const { rows } = await pool.query('SELECT event_id FROM mailbox WHERE event_id = $1', [letter.eventUuid]);
    expect(rows).toEqual([]);
  },
);
