import { expect, onTestFinished, test, vi } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../../src/domain/ids.ts';
import { cancelForDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logAttempt, logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService } from '../support/test-service.ts';

/** Three deliveries of one key, the first of which was attempted so often, queued by a replay; the others stand behind it. */
async function line(attempt = 1) {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'endpoint' });
  const pool = service.context.workerPool;
  const { id: replay } = (await call(service.baseUrl, 'POST', '/v1/tenants/acme/replays', {})).body;
  const events: string[] = [];
  for (let seq = 1; seq <= 3; seq++) {
    const event = await logEvent(service, tenant);
    await logWaiting(service, tenant, event, endpoint, seq === 1 ? attempt : 0);
    await pool.query(
      `UPDATE mailbox SET order_key = 0, seq = $2::int, parked = $2::int > 1, due_at = CASE WHEN $2::int > 1 THEN 'infinity' ELSE due_at END,
              replay_num = CASE WHEN $2::int = 1 THEN (SELECT num FROM replays) END WHERE event_id = $1`,
      [event, seq],
    );
    events.push(event);
  }
  const ask = (method: string, path: string, body?: unknown) =>
    call(service.baseUrl, method, `/v1/tenants/acme${path}`, body);
  const takeAway = {
    cancel: () => ask('POST', `/deliveries/${deliveryIdOf(events[0]!, endpoint.num)}/cancel`, {}),
    replay: () => ask('DELETE', `/replays/${replay}`),
    expunge: () => ask('DELETE', `/events/${eventIdOf(events[0]!)}/payload`),
  };
  const ring = vi.spyOn(service.context, 'ringEndpoints');
  if (attempt > 1) await logAttempt(service, tenant, events[0]!, endpoint, attempt, 'network', 'postpone');
  const endOfFirst = async () =>
    (await pool.query('SELECT decision FROM attempts WHERE event_id = $1 ORDER BY attempt DESC LIMIT 1', [events[0]]))
      .rows[0];
  return { endpoint, pool, takeAway, ring, events, endOfFirst };
}

const HOW = ['cancel', 'replay', 'expunge'] as const;

test.each(HOW)(
  'G5: what stood behind a delivery that a call takes away (%s) is rung for, when it may go',
  async (how) => {
    const { endpoint, pool, takeAway, ring } = await line();
    const parked: Promise<number | null>[] = [];
    ring.mockImplementation((nums) => {
      if ([...nums].includes(endpoint.num))
        parked.push(pool.query('SELECT FROM mailbox WHERE parked').then(({ rowCount }) => rowCount));
    });
    expect((await takeAway[how]()).status).toBeLessThan(300);
    expect(await Promise.all(parked)).toEqual([0]);
  },
);

test.each(HOW)(
  'G5: what a call takes away (%s) is committed before it looks for the next: whoever takes that away meanwhile would not see it',
  async (how) => {
    const { pool, takeAway, events } = await line();
    const other = await pool.connect();
    await other.query('BEGIN');
    await other.query('DELETE FROM mailbox WHERE event_id = $1', [events[1]]);
    const answered = takeAway[how]();
    await eventually(
      () => pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
      ({ rowCount }) => rowCount === 1,
    );
    // What it took away is there for others to see, while it waits to promote the next.
    const { rowCount } = await pool.query('SELECT FROM mailbox WHERE event_id = $1', [events[0]]);
    await other.query('COMMIT');
    other.release();
    expect((await answered).status).toBeLessThan(300);
    expect(rowCount).toBe(0);
  },
);

test('G5: a cancellation that is made is answered so, and rung for, where what stands behind cannot be promoted', async () => {
  const { endpoint, pool, takeAway, ring, events } = await line();
  const other = await pool.connect();
  await other.query('BEGIN');
  await other.query('SELECT FROM mailbox WHERE event_id = $1 FOR UPDATE', [events[1]]);
  try {
    // The lock is waited for until the statement's time is over.
    expect((await takeAway.cancel()).status).toBe(202);
    expect(ring).toHaveBeenCalledWith([endpoint.num]);
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
});

test.each(HOW)('a delivery with as many attempts as can be counted is taken away like any other (%s)', async (how) => {
  const { pool, takeAway, events, endOfFirst } = await line(32_767);
  expect((await takeAway[how]()).status).toBeLessThan(300);
  expect((await pool.query('SELECT FROM mailbox WHERE event_id = $1', [events[0]])).rowCount).toBe(0);
  expect(await endOfFirst()).toEqual({ decision: DECISION.cancel });
});

test('a delivery with as many attempts as can be counted does not keep those of deleted endpoints from being cancelled', async () => {
  const { pool, endOfFirst } = await line(32_767);
  await pool.query('UPDATE endpoints SET deleted_at = now()');
  await cancelForDeletedEndpoints(pool);
  expect((await pool.query('SELECT FROM mailbox')).rowCount).toBe(0);
  expect(await endOfFirst()).toEqual({ decision: DECISION.cancel });
});
