import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { FaultProxy } from '../chaos/harness/fault-proxy.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { startTestService } from '../support/test-service.ts';

/** A service that reaches its database through a proxy, and a connection of ours that does not. */
async function behindProxy() {
  const database = await createTestDatabase();
  const url = new URL(database.url);
  const proxy = await FaultProxy.start(Number(url.port));
  url.port = String(proxy.port);
  const service = await startTestService({ databaseUrl: url.href });
  const ours = new pg.Client({ connectionString: database.url });
  await ours.connect();
  onTestFinished(async () => {
    await ours.end();
    await service.stop();
    await proxy.close();
    await database.drop();
  });
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const post = (key: string) =>
    call(
      service.baseUrl,
      'POST',
      '/v1/events',
      { type: 'a.b', tenant_id: 'acme', data: 1 },
      { 'idempotency-key': key },
    );
  return { proxy, ours, post };
}

// A reset is an error with a code; an end is one of the driver's own, with none.
test.each([
  ['reset', (proxy: FaultProxy) => proxy.cut()],
  ['ended without a word', (proxy: FaultProxy) => proxy.hangUp()],
])('G1: an event whose commit was under way when the connection was %s is not acknowledged', async (_how, lose) => {
  const { proxy, ours, post } = await behindProxy();
  expect((await post('before')).status).toBe(202);
  await ours.query('BEGIN');
  await ours.query('LOCK TABLE events IN EXCLUSIVE MODE');
  const answer = post('lost');
  const committing = () =>
    ours.query<{ pid: number }>(
      `SELECT pid FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
  const { rows } = await eventually(committing, (found) => found.rows.length > 0);
  lose(proxy);
  expect(await answer).toMatchObject({ status: 503, body: { code: 'storage_unavailable' } });
  // Until it writes, a server does not notice that its client is gone: it would store the event after all.
  for (const { pid } of rows) await ours.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
  await ours.query('ROLLBACK');
  expect(await post('lost')).toMatchObject({ status: 202, body: { status: 'accepted' } });
  expect((await ours.query('SELECT count(*)::int AS n FROM events')).rows).toEqual([{ n: 2 }]);
});
