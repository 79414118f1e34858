import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { uuidFloor } from '../../src/domain/ids.ts';
import { DECISION, OUTCOME_CODES } from '../../src/store/codes.ts';
import { lockRedrives } from '../../src/store/redrive.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const query = async (text: string, values: unknown[] = []) =>
  (await service.context.workerPool.query(text, values)).rows;

/** A tenant with so many dead letters, and, newer than these, so many that were redriven and delivered since. */
async function lettersBehind(id: string, count: number, delivered: number) {
  const tenant = await makeTenant(service, id);
  const endpoint = await makeEndpoint(service, tenant);
  await query(
    `WITH made AS (
       INSERT INTO events (id, tenant_num, type, body)
       SELECT ($3 || lpad(n::text, 12, '0'))::uuid, $1, 'order.created', '\\x7b7d' FROM generate_series(1, $4::int + $5::int) n RETURNING id
     )
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision)
     SELECT id, now(), $2, $1, a, CASE a WHEN 1 THEN $6::int ELSE $7::int END, CASE a WHEN 1 THEN $8::int ELSE $9::int END
       FROM made, generate_series(1, 2) a WHERE a = 1 OR right(id::text, 12)::int > $4`,
    [
      ...[tenant.num, endpoint.num, `${uuidFloor(Date.now()).slice(0, 13)}-7000-8000-`, count, delivered],
      ...[OUTCOME_CODES.timeout, OUTCOME_CODES.delivered, DECISION.deadLetter, DECISION.done],
    ],
  );
  const ask = (path: string, body: object) =>
    call(service.baseUrl, 'POST', `/v1/tenants/${id}/dead-letters/${path}`, body);
  return { tenant, endpoint, ask };
}

/** Holds the tenant's redrives until `work` waits for them, and makes its time be over by then. */
async function inNoTime<T>(tenantNum: number, work: () => Promise<T>): Promise<T> {
  const holder = await service.context.workerPool.connect();
  await holder.query('BEGIN');
  await lockRedrives(holder, tenantNum);
  const working = work();
  await eventually(
    () => query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`),
    (waiting) => waiting.length === 1,
  );
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + 20_000);
  onTestFinished(() => spy.mockRestore());
  await holder.query('COMMIT');
  holder.release();
  return working.finally(() => spy.mockRestore());
}

test('a purge that stopped goes on behind what it has looked at, however much of it is no dead letter any more', async () => {
  const { tenant, endpoint, ask } = await lettersBehind('behind', 10, 2_100);
  const filter = { endpoint_id: endpoint.id };
  const { body: first } = await inNoTime(tenant.num, () => ask('purge', filter));
  expect(first).toEqual({ purged: 0, complete: false, next: expect.any(String) });
  const { body: second } = await inNoTime(tenant.num, () => ask('purge', { ...filter, cursor: first.next }));
  expect(second).toEqual({ purged: 10, complete: true, next: null });
  const { rows } = await service.context.apiPool.query(
    `SELECT after->'request' AS asked FROM audit_log WHERE tenant_num = $1 AND action = 'dead_letters.purged'`,
    [tenant.num],
  );
  expect(rows).toEqual([{ asked: filter }]);
});

test('a purge goes on with what it was asked for, and for its tenant alone', async () => {
  const { tenant, ask } = await lettersBehind('bound', 10, 2_100);
  const other = await lettersBehind('unbound', 1, 0);
  const { body } = await inNoTime(tenant.num, () => ask('purge', { all: true }));
  const cursor = body.next;
  const invalid = { status: 422, body: { code: 'invalid_cursor' } };
  expect(await ask('purge', { type: 'order.created', cursor })).toMatchObject(invalid);
  expect(await other.ask('purge', { all: true, cursor })).toMatchObject(invalid);
  expect(await ask('purge', { all: true, cursor: `${cursor}A` })).toMatchObject(invalid);
  expect(await ask('purge', { cursor })).toMatchObject({ status: 422 });
  expect(await ask('purge', { delivery_ids: ['dlv_1'], cursor })).toMatchObject({ status: 422 });
  expect(await ask('redrive', { cursor })).toMatchObject({ status: 422 });
  expect((await ask('purge', { all: true, cursor })).body).toMatchObject({ purged: 10, complete: true });
});
