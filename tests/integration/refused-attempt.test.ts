import { expect, onTestFinished, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receiver.ts';
import { scrape } from '../support/scrape.ts';
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

test('a delivery that is given up after a failure is a dead letter, and counts as one; one that was delivered does not', async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  let answers = 0;
  receiver.behave((_request, response) => void response.writeHead(answers++ === 0 ? 500 : 200).end());
  const api = await startTestService();
  onTestFinished(() => api.stop());
  const { apiPool } = api.context;
  await call(api.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  await call(api.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url: receiver.url });
  await call(api.baseUrl, 'POST', '/v1/events', Array(2).fill({ type: 'a.b', tenant_id: 'acme', data: {} }));
  await apiPool.query('UPDATE mailbox SET attempt = 32767');
  const worker = await startTestService({ databaseUrl: api.databaseUrl, worker: true });
  onTestFinished(() => worker.stop());
  await eventually(
    async () => (await apiPool.query('SELECT FROM mailbox')).rowCount,
    (waiting) => waiting === 0,
  );
  const { rows } = await apiPool.query('SELECT decision FROM attempts ORDER BY decision');
  expect(rows.map(({ decision }) => decision)).toEqual([DECISION.done, DECISION.deadLetter]);
  const found = await eventually(
    () => scrape(worker.baseUrl),
    (each) => each.sum('posthorn_dead_letters_total') > 0,
  );
  expect(found.sum('posthorn_dead_letters_total')).toBe(1);
  expect(found.sum('posthorn_attempts_given_up_total')).toBe(2);
});
