import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { MOST_LOOKED_AT, readFigures } from '../../src/store/installation-figures.ts';
import { logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, {});
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() - interval '136 s', $2, $3, 0)`,
    [await logEvent(service, tenant), endpoint.num, tenant.num],
  );
});

afterAll(() => service.stop());

beforeEach(async () => {
  await query('UPDATE mailbox SET parked = false');
  await query(`UPDATE endpoints SET enabled = true, validation = 'none'`);
  await query('DELETE FROM endpoint_states');
  await query(
    `UPDATE lanes SET owner = NULL, leased_until = '-infinity', wake_at = 'infinity', acquired_at = now() - interval '1 hour'`,
  );
});

const query = (text: string, values: unknown[] = []) => service.context.workerPool.query(text, values);
const figures = () => readFigures(service.context.workerPool);

test('what is due in a lane that nobody holds has waited since it was due', async () => {
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  expect(unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
  expect(unowned_due_age_seconds).toBe(due_age_seconds);
});

test('what its worker holds back for the limits of its endpoint, or has under way, waits for nobody', async () => {
  await query(`UPDATE lanes SET owner = 'worker_1', leased_until = now() + interval '1 hour' WHERE lane = 0`);
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  expect(due_age_seconds).toBeGreaterThanOrEqual(135);
  expect(unowned_due_age_seconds).toBe(0);
});

test('a lane that changes hands has waited for no longer than since it was taken last', async () => {
  await query(`UPDATE lanes SET acquired_at = now() - interval '10 s'`);
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  // A clock may go back a little between two statements.
  expect(unowned_due_age_seconds).toBeGreaterThan(9);
  expect(unowned_due_age_seconds).toBeLessThan(due_age_seconds);
});

/** The owner of every lane dies, whose lease ends so many seconds ago; negative: in so many. */
const die = (endedSecondsAgo: number) =>
  query(`UPDATE lanes SET owner = 'worker_1', leased_until = now() - $1 * interval '1 s'`, [endedSecondsAgo]);

test.each([false, true])(
  'what a worker that died left, parked or not (%s), has waited since its lease was over, however old it is',
  async (parked) => {
    await query('UPDATE mailbox SET parked = $1', [parked]);
    await die(-3_600);
    expect((await figures()).unowned_due_age_seconds).toBe(0);
    await die(10);
    const { unowned_due_age_seconds } = await figures();
    // A clock may go back a little between two statements.
    expect(unowned_due_age_seconds).toBeGreaterThan(9);
    expect(unowned_due_age_seconds).toBeLessThan(135);
    await die(3_600);
    expect((await figures()).unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
  },
);

test('what is not due yet has not waited', async () => {
  for (const parked of [false, true]) {
    await query(`UPDATE mailbox SET parked = $1, due_at = now() + interval '1 hour'`, [parked]);
    await query('UPDATE lanes SET wake_at = now()');
    expect((await figures()).unowned_due_age_seconds).toBe(0);
  }
  await query(`UPDATE mailbox SET due_at = now() - interval '136 s'`);
});

/** The only delivery there is, parked in a lane that somebody should have looked at so many seconds ago. */
async function park(wakeSecondsAgo: number): Promise<void> {
  await query('UPDATE mailbox SET parked = true');
  await query(`UPDATE lanes SET wake_at = now() - $1 * interval '1 s'`, [wakeSecondsAgo]);
}

test('what is parked waits for nobody while its last owner knew that it cannot be sent', async () => {
  await park(-60);
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  expect([due_age_seconds, unowned_due_age_seconds]).toEqual([0, 0]);
});

test.each([
  ['when its lane was to be looked at', 50, 'SELECT', 50, 136],
  ['when it fell due', 300, 'SELECT', 136, 300],
  [
    'when its endpoint opened again',
    300,
    `INSERT INTO endpoint_states (endpoint_num, closed_until) SELECT num, now() - interval '20 s' FROM endpoints`,
    20,
    136,
  ],
] as const)(
  'what is parked, and nobody comes to send, has waited since %s',
  async (_, wakeSecondsAgo, before, waited, other) => {
    await park(wakeSecondsAgo);
    await query(before);
    const { due_age_seconds, unowned_due_age_seconds } = await figures();
    // A clock may go back a little between two statements.
    expect(unowned_due_age_seconds).toBeGreaterThan(waited - 1);
    expect(unowned_due_age_seconds).toBeLessThan(other - 1);
    expect(due_age_seconds).toBe(unowned_due_age_seconds);
  },
);

test.each([
  'UPDATE endpoints SET enabled = false',
  `UPDATE endpoints SET validation = 'sender'`,
  `INSERT INTO endpoint_states (endpoint_num, closed_until) SELECT num, now() + interval '1 minute' FROM endpoints`,
])('what is parked and could not be sent if somebody came has not waited: %s', async (closed) => {
  await park(300);
  await query(closed);
  expect((await figures()).unowned_due_age_seconds).toBe(0);
});

/** Other endpoints with something parked in the same lane, which come before the one that is there; they were deleted. */
const parkBefore = (endpoints: number) =>
  query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked)
     SELECT event_id, due_at, -n, tenant_num, lane, true FROM (SELECT * FROM mailbox LIMIT 1) m, generate_series(1, $1) AS n`,
    [endpoints],
  );

test('however many endpoints have something parked, a bounded part of them is looked at, of which very many may be closed', async () => {
  await park(300);
  await parkBefore(MOST_LOOKED_AT);
  try {
    expect((await figures()).unowned_due_age_seconds).toBe(0);
    await query('DELETE FROM mailbox WHERE endpoint_num = -1');
    expect((await figures()).unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
  } finally {
    await query('DELETE FROM mailbox WHERE endpoint_num < 0');
  }
});

test('behind 2,000 endpoints that cannot be sent to, one is found that can', async () => {
  await park(300);
  await parkBefore(2_000);
  try {
    expect((await figures()).unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
  } finally {
    await query('DELETE FROM mailbox WHERE endpoint_num < 0');
  }
});
