import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  // As long as it takes where the machine is slow.
  service = await startTestService({ config: { INGEST_DEADLINE_MS: 60_000 } });
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);

/** So many wildcards to each of which all these texts may be alike: some 60 ms for each event. */
const wildcards = Array.from({ length: 500 }, (_, i) => ({ filter: { data: { a: [{ wildcard: `*aaaaa*${i}x*` }] } } }));
const costly = (n: number) => ({
  tenant_id: 'slow',
  type: 'a',
  data: { n, a: Array.from({ length: 600 }, (_, i) => `aaaaaaa${i}`) },
});

/** @param endpoints the subscriptions of each */
async function makeTenant(id: string, endpoints: readonly (readonly unknown[])[]): Promise<void> {
  await api('POST', '/v1/tenants', { id });
  for (const subscriptions of endpoints) {
    const endpoint = { url: 'http://127.0.0.1:9/', subscriptions };
    expect(await api('POST', `/v1/tenants/${id}/endpoints`, endpoint)).toMatchObject({ status: 201 });
  }
}

/** As many as take some 0.8 s together, on whatever machine: far more than a group is matched at once. */
async function enoughEvents(): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < 2; n++) {
    const since = performance.now();
    expect(await api('POST', '/v1/events', costly(n))).toMatchObject({ status: 202 });
    took.push(performance.now() - since);
  }
  return 2 + Math.ceil(800 / Math.min(...took));
}

test('G4: a tenant whose events take long to be matched by its filters keeps no other tenant’s events waiting, and its own are stored too', async () => {
  await makeTenant(
    'slow',
    Array.from({ length: 5 }, (_, i) => wildcards.slice(i * 100, (i + 1) * 100)),
  );
  await makeTenant('quick', [[]]);
  const quick = () => api('POST', '/v1/events', { tenant_id: 'quick', type: 'a', data: {} });
  expect(await quick()).toMatchObject({ status: 202 });
  const count = await enoughEvents();
  let isOver = false;
  const batch = Array.from({ length: count }, (_, n) => costly(n));
  const slow = api('POST', '/v1/events', batch).finally(() => (isOver = true));
  // It was taken in, and none of its events is stored.
  while (service.context.commits.waitingEvents < count) await nextTurn();
  expect(await quick()).toMatchObject({ status: 202, body: { deliveries: 1 } });
  expect(isOver).toBe(false);
  expect(await slow).toMatchObject({ status: 202, body: { accepted: count } });
});
