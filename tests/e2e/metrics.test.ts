import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { scrape } from '../support/scrape.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

const HOUSEKEEPING = ['posthorn_housekeeping_runs_total', { result: 'ok' }] as const;

test('each role answers /healthz, /readyz and /metrics on its own port, with what it does', async () => {
  const stage = await stageForTest();
  const [api, worker] = [await stage.start('api'), await stage.start('worker')];
  for (const { baseUrl } of [api, worker])
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await fetch(`${baseUrl}${path}`)).status).toBe(200);
  await createEndpoint(api.baseUrl, { url: stage.receiver.url });
  await call(api.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  const ofWorker = await eventually(
    () => scrape(worker.baseUrl),
    (found) => found.sum('posthorn_attempts_total') === 1 && found.sum(...HOUSEKEEPING) > 0,
  );
  const ofApi = await scrape(api.baseUrl);
  expect(ofWorker.sum('posthorn_events_accepted_total')).toBe(0);
  expect(ofApi.sum('posthorn_events_accepted_total')).toBe(1);
  expect([ofApi.has('posthorn_lanes_owned'), ofWorker.has('posthorn_lanes_owned')]).toEqual([false, true]);
  expect(ofWorker.sum('posthorn_process_start_time_seconds')).toBeGreaterThan(1.6e9);
  expect(ofWorker.has('posthorn_event_loop_delay_seconds')).toBe(true);
});
