import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** 101 tenants with ten replays each that have queued a delivery for an endpoint which was disabled then. */
async function logWaitingReplays({ context }: TestService): Promise<void> {
  const query = (text: string) => context.workerPool.query(text);
  await query(`INSERT INTO tenants (id, name) SELECT 'stuck_' || n, '' FROM generate_series(1, 101) n`);
  await query(
    `INSERT INTO endpoints (id, tenant_num, url, enabled) SELECT 'ep_' || id, num, 'http://127.0.0.1:9/', false FROM tenants`,
  );
  await query(
    `INSERT INTO replays (id, tenant_num, filter, state, cursor, matched, queued)
     SELECT 'rpl_' || t.num || '_' || n, t.num, jsonb_build_object('request', '{}'::jsonb, 'plan', jsonb_build_object(
              'from', uuid_of(0), 'to', uuid_of(1), 'eventUuids', null, 'endpointNum', null, 'status', null, 'types', '[]'::jsonb)),
            'running', uuid_of(1), 1, 1
       FROM tenants t, generate_series(1, 10) n`.replaceAll(
      /uuid_of\((\d)\)/g,
      `'00000000-0000-0000-0000-00000000000$1'::uuid`,
    ),
  );
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, replay_num)
     SELECT gen_random_uuid(), now(), e.num, e.tenant_num, 0, true, r.num FROM replays r JOIN endpoints e USING (tenant_num)`,
  );
}

test('a thousand replays that wait for endpoints which take nothing keep no other waiting, and complete when they wait no more', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  await logWaitingReplays(service);
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant);
  await logAttempt(service, tenant, await logEvent(service, tenant), endpoint, 1, 'rejected', 'deadLetter');
  const { body } = await call(service.baseUrl, 'POST', '/v1/tenants/acme/dead-letters/redrive', {});
  const pool = service.context.workerPool;
  const replayer = replayerOf(pool);
  expect(await replayer.runOnce()).toBe('moved');
  const redrive = (await call(service.baseUrl, 'GET', `/v1/tenants/acme/replays/${body.id}`)).body;
  expect(redrive).toMatchObject({ state: 'running', matched: 1 });
  await queueReplays(replayer);
  expect(await replayer.runOnce()).toBe('waiting');
  await pool.query('DELETE FROM mailbox WHERE replay_num = (SELECT min(num) FROM replays)');
  expect(await replayer.runOnce()).toBe('moved');
  const { rows } = await pool.query(`SELECT count(*)::int AS n FROM replays WHERE state = 'completed'`);
  expect(rows).toEqual([{ n: 1 }]);
});
