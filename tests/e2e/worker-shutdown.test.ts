import type { ServerResponse } from 'node:http';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

const event = { type: 'a.b', tenant_id: TENANT, data: {} };

test('a worker that is told to stop begins no request, cuts none off and gives its lanes back, whatever housekeeping is at', async () => {
  const stage = await stageForTest();
  const held: ServerResponse[] = [];
  stage.receiver.behave((_request, response) => void held.push(response));
  const api = await stage.start('api');
  await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/` });
  const blocker = new pg.Client({ connectionString: stage.databaseUrl });
  await blocker.connect();
  onTestFinished(() => blocker.end().catch(() => {}));
  await blocker.query('BEGIN');
  // Housekeeping alone deletes there without being asked to.
  await blocker.query('LOCK TABLE kept_dead_letters IN SHARE MODE');
  const worker = await stage.start('worker', { SHUTDOWN_SECONDS: '60' });
  await call(api.baseUrl, 'POST', '/v1/events', event);
  await stage.receiver.received(1);
  await eventually(
    () => stage.query('SELECT 1 FROM pg_locks WHERE NOT granted'),
    (rows) => rows.length > 0,
  );
  const exited = worker.kill('SIGTERM');
  await worker.said(/"service\.stopping"/);
  await call(api.baseUrl, 'POST', '/v1/events', event);
  held[0]!.writeHead(204).end();
  await eventually(
    () => stage.query('SELECT 1 FROM lanes WHERE owner IS NOT NULL'),
    (rows) => rows.length === 0,
  );
  expect(stage.receiver.requests).toHaveLength(1);
  await blocker.query('COMMIT');
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(worker.output()).not.toMatch(/stop of requests/);
  expect(await stage.query('SELECT event_id, attempt FROM attempts')).toHaveLength(1);
});
