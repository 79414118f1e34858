import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { openPool } from '../support/open-pool.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

test('G5: a worker killed between the record of a late delivery and the end of the pause that it ends: the key goes on by itself', async () => {
  const stage = await stageForTest();
  const held = Promise.withResolvers<ServerResponse>();
  stage.receiver.behave((_request, response, index) => {
    if (index === 1) held.resolve(response);
    else response.writeHead(index === 0 ? 500 : 204).end();
  });
  const [api, first] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const settings = { url: stage.receiver.url, order: 'endpoint', on_dead_letter: 'pause', retry_schedule: [0] };
  await createEndpoint(api.baseUrl, settings);
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  const { body: accepted } = await call(api.baseUrl, 'POST', '/v1/events', [event, event]);
  const pauses = () => stage.query('SELECT 1 FROM paused_keys');
  await eventually(pauses, (rows) => rows.length === 1);
  const { body: redrive } = await call(api.baseUrl, 'POST', `/v1/tenants/${TENANT}/dead-letters/redrive`, {});
  const response = await held.promise;
  await call(api.baseUrl, 'DELETE', `/v1/tenants/${TENANT}/replays/${redrive.id}`);
  expect(await pauses()).toHaveLength(1);

  const pool = openPool(stage.databaseUrl, { max: 1 });
  onTestFinished(() => pool.end());
  const holder = await pool.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM paused_keys FOR UPDATE');
  response.writeHead(204).end();
  const resuming = () =>
    stage.query(
      `SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%DELETE FROM paused_keys p USING unnest%'`,
    );
  const [{ pid }] = await eventually(resuming, (rows) => rows.length === 1);
  await first.kill('SIGKILL');
  await stage.query('SELECT pg_terminate_backend($1)', [pid]);
  await eventually(resuming, (rows) => rows.length === 0);
  await holder.query('COMMIT');
  holder.release();
  expect(await pauses()).toHaveLength(1);

  await stage.start('worker');
  const requests = await stage.receiver.received(3);
  const ids = accepted.items.map(({ id }: { id: string }) => id);
  expect(requests.map(({ headers }) => ids.indexOf(String(headers['webhook-id'])))).toEqual([0, 0, 1]);
  expect(await pauses()).toEqual([]);
});
