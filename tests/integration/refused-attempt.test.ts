import { expect, onTestFinished, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService } from '../support/test-service.ts';

test('G3: an attempt that Postgres refuses to record is given up: it is not made again, and nor is any other of its lane', async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const api = await startTestService();
  onTestFinished(() => api.stop());
  await call(api.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  await call(api.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url: receiver.url });
  const event = { type: 'a.b', tenant_id: 'acme', data: {} };
  await call(api.baseUrl, 'POST', '/v1/events', Array(10).fill(event));
  // The next attempt's number is past what its column holds.
  await api.context.apiPool.query(
    'UPDATE mailbox SET attempt = 32767 WHERE event_id = (SELECT event_id FROM mailbox LIMIT 1)',
  );
  const worker = await startTestService({ databaseUrl: api.databaseUrl, worker: true });
  onTestFinished(() => worker.stop());
  const count = async (table: string) =>
    (await api.context.apiPool.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0].n as number;
  await eventually(
    () => count('mailbox'),
    (waiting) => waiting === 0,
  );
  expect(await count('attempts')).toBe(10);
  expect(receiver.requests).toHaveLength(10);
  const { rows } = await api.context.apiPool.query('SELECT decision, detail FROM attempts WHERE attempt = 32767');
  expect(rows).toEqual([{ decision: DECISION.done, detail: expect.stringContaining('22003') }]);
});
