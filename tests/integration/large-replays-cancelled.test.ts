import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { cancelReplay } from '../../src/store/cancel-replay.ts';
import { acquireLanes, heartbeat } from '../../src/store/lanes.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { Housekeeping } from '../../src/workers/housekeeping.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { replayerOf } from '../support/queue-replays.ts';
import { startTestService } from '../support/test-service.ts';

const TOTAL = 20_000;
/** Deliveries that one transaction may hold. */
const AT_ONCE = 1_000;

/** A replay that has queued very many deliveries, each with a key and an attempt of its own; behind the first three stand others. */
async function largeReplay() {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, { order: 'subject' });
  const pool = service.context.workerPool;
  const ask = (method: string, path: string, body?: unknown) =>
    call(service.baseUrl, method, `/v1/tenants/acme${path}`, body);
  const { id } = (await ask('POST', '/replays', {})).body;
  const uuids = Array.from({ length: TOTAL }, () => newUuid(Date.now()));
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, attempt, order_key, seq, replay_num)
     SELECT id, now() - interval '1 ms', $1, $2, 0, 1, n, n, (SELECT num FROM replays) FROM unnest($3::uuid[]) WITH ORDINALITY AS u(id, n)`,
    [endpoint.num, tenant.num, uuids],
  );
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT id, 'infinity', $1, $2, 0, true, n, ${TOTAL} + n FROM unnest($3::uuid[]) WITH ORDINALITY AS u(id, n)`,
    [endpoint.num, tenant.num, [1, 2, 3].map(() => newUuid(Date.now()))],
  );
  await pool.query(`UPDATE replays SET state = 'running', cursor = $1, matched = $2, queued = $2`, [uuids[0], TOTAL]);
  await pool.query('VACUUM ANALYZE mailbox');
  const { rows: waiting } = await pool.query<{ event_id: string }>(
    'SELECT event_id FROM mailbox WHERE replay_num IS NOT NULL ORDER BY ctid',
  );
  return { service, tenant, endpoint, pool, ask, id, uuids: waiting.map((row) => row.event_id) };
}

/** Has a row for itself, as a settle under way. @returns what ends that */
async function lock(pool: pg.Pool, eventUuid: string): Promise<() => Promise<void>> {
  const holder = await pool.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM mailbox WHERE event_id = $1 FOR UPDATE', [eventUuid]);
  let isHeld = true;
  const letGo = async () => {
    if (isHeld) await holder.query('ROLLBACK');
    if (isHeld) holder.release();
    isHeld = false;
  };
  onTestFinished(letGo);
  return letGo;
}

const untilBlocked = (pool: pg.Pool) =>
  eventually(
    () => pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
    ({ rowCount }) => rowCount === 1,
  );

const left = async (pool: pg.Pool) =>
  (await pool.query('SELECT FROM mailbox WHERE replay_num IS NOT NULL')).rowCount ?? 0;

test('G4: while a large replay is cancelled, and waits for one of its deliveries, others are settled and leases are renewed', async () => {
  const { tenant, endpoint, pool, ask, id, uuids } = await largeReplay();
  const leases = await acquireLanes(pool, 'owner', [0]);
  const letGo = await lock(pool, uuids.at(-1)!);
  const cancelled = ask('DELETE', `/replays/${id}`);
  await untilBlocked(pool);
  const attempt: SettledAttempt = {
    eventUuid: uuids[0]!,
    endpointNum: endpoint.num,
    tenantNum: tenant.num,
    lane: 0,
    attempt: 2,
    isReplay: true,
    startedAtMs: Date.now(),
    outcome: { kind: 'skipped', reason: 'payload_expunged' },
    decision: { kind: 'cancel' },
    notice: null,
    mayPauseKey: false,
  };
  expect([...(await settle(pool, leases, [attempt]))]).toEqual([0]);
  expect([...(await heartbeat(pool, 'owner', leases)).held]).toEqual([0]);
  await letGo();
  expect((await cancelled).status).toBe(204);
});

test('a large replay is cancelled from the first transaction on, what was withdrawn stays so whatever becomes of the rest, and its progress says the same all the time', async () => {
  const { pool, ask, id, uuids } = await largeReplay();
  const letGo = await lock(pool, uuids.at(-1)!);
  const cancelled = ask('DELETE', `/replays/${id}`);
  await untilBlocked(pool);
  const told = { state: 'cancelled', matched: TOTAL, done: 0, finished_at: expect.any(String) };
  expect((await ask('GET', `/replays/${id}`)).body).toMatchObject(told);
  expect(await left(pool)).toBeLessThanOrEqual(AT_ONCE);
  expect(await left(pool)).toBeGreaterThan(0);
  await letGo();
  expect((await cancelled).status).toBe(204);
  expect(await left(pool)).toBe(0);
  expect((await ask('GET', `/replays/${id}`)).body).toMatchObject(told);
  const { rows } = await pool.query(`SELECT count(*)::int AS n FROM attempts WHERE detail = 'replay_cancelled'`);
  expect(rows).toEqual([{ n: TOTAL }]);
  expect(await audited(pool)).toBe(TOTAL);
});

test('whoever cancels a replay hears whose next in order may go, when that is committed', async () => {
  const { tenant, endpoint, pool, id } = await largeReplay();
  expect(await cancelReplay(pool, tenant, id, 'tester')).toEqual({ resumed: new Set([endpoint.num]) });
  const { rows } = await pool.query('SELECT order_key, parked, isfinite(due_at) AS is_due FROM mailbox ORDER BY 1');
  expect(rows).toEqual([1, 2, 3].map((key) => ({ order_key: key, parked: false, is_due: true })));
});

/** Deliveries that the audit log says were withdrawn. */
async function audited(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `SELECT coalesce(sum((after->>'deliveries_withdrawn')::int), 0)::int AS n FROM audit_log WHERE action = 'replay.cancelled'`,
  );
  return rows[0]!.n;
}

test.each(['housekeeping', 'whoever cancels it again', 'whoever makes replays'])(
  'what a process that died, or could not go on, left of a cancelled replay is withdrawn by %s, and on record',
  async (who) => {
    const { pool, ask, id } = await largeReplay();
    await pool.query(`UPDATE replays SET state = 'cancelled', finished_at = now()`);
    const done: unknown[] = [];
    const housekeeping = new Housekeeping({
      pool,
      retentionDays: 5,
      deadLetterDays: 5,
      idempotencyHours: 24,
      onDone: (duty, details) => void (duty === 'deliveries_withdrawn' && done.push(details)),
      onLeft: () => {},
      onExpired: () => {},
      onFailure: (_duty, error) => done.push(error),
    });
    if (who === 'housekeeping') {
      for (let times = 0; times < 2; times++) await housekeeping.runOnce(Date.now(), Date.now());
      expect(done).toEqual([{ count: TOTAL }, null]);
    } else if (who === 'whoever makes replays') {
      await replayerOf(pool).drain(new AbortController().signal, 1);
    } else expect((await ask('DELETE', `/replays/${id}`)).status).toBe(204);
    expect(await left(pool)).toBe(0);
    expect(await audited(pool)).toBe(TOTAL);
    expect((await pool.query('SELECT FROM mailbox WHERE NOT parked')).rowCount).toBe(3);
    expect((await ask('GET', `/replays/${id}`)).body).toMatchObject({ state: 'cancelled', matched: TOTAL, done: 0 });
  },
);
