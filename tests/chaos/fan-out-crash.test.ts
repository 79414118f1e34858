import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { ensureTenant } from '../support/ensure-tenant.ts';
import { eventually } from '../support/eventually.ts';
import { type CreatedEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';

const ENDPOINTS = 1_000;
/** What the worker writes in one transaction. */
const CHUNK = 500;

async function createMany(baseUrl: string, receiverUrl: string): Promise<CreatedEndpoint[]> {
  await ensureTenant(baseUrl, TENANT);
  const endpoints: CreatedEndpoint[] = [];
  let made = 0;
  const slot = async () => {
    while (made < ENDPOINTS) {
      const url = `${receiverUrl}/${made++}`;
      endpoints.push((await call(baseUrl, 'POST', `/v1/tenants/${TENANT}/endpoints`, { url })).body);
    }
  };
  await Promise.all(Array.from({ length: 8 }, slot));
  return endpoints;
}

/** Keeps whoever writes the delivery of the event to the endpoint with this place waiting, until it is let go. */
async function holdUp(stage: Stage, place: number): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT x.event_id, now(), x.endpoints[$1], x.tenant_num, 0 FROM expansions x`,
    [place],
  );
  return async () => void (await client.query('ROLLBACK'));
}

test('G2, F50: a worker killed in the middle of an expansion: another goes on, and each of 1,000 endpoints gets the event exactly once', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api');
  const endpoints = await createMany(api.baseUrl, stage.receiver.url);
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  const { body } = await call(api.baseUrl, 'POST', '/v1/events', event);
  expect(body).toMatchObject({ status: 'accepted', deliveries: ENDPOINTS });
  // Its second chunk is under way and cannot end; the first is delivered, and that is written down.
  const letGo = await holdUp(stage, CHUNK + CHUNK / 2);
  const first = await stage.start('worker');
  await stage.receiver.received(CHUNK);
  const isHeldUp = `SELECT (SELECT count(*)::int FROM attempts) AS attempts,
    EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO mailbox%') AS waits`;
  await eventually(
    () => stage.query(isHeldUp),
    ([state]) => state.attempts === CHUNK && state.waits,
  );
  await first.kill('SIGKILL');
  await letGo();
  await stage.start('worker');
  await stage.receiver.received(ENDPOINTS);
  await checkInvariants({
    databaseUrl: stage.databaseUrl,
    history: [],
    ledger: stage.receiver.requests,
    endpoints,
    duplicatesAtMost: 0,
  });
  expect(stage.receiver.requests).toHaveLength(ENDPOINTS);
  expect(new Set(stage.receiver.requests.map(({ path }) => path)).size).toBe(ENDPOINTS);
  expect(stage.receiver.requests.every(({ headers }) => headers['webhook-id'] === body.id)).toBe(true);
});

test('G2, F50: an API process killed as soon as it has answered for wide events: a worker finds them by itself', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api');
  const endpoints = await createMany(api.baseUrl, stage.receiver.url);
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  const { body } = await call(api.baseUrl, 'POST', '/v1/events', event);
  await api.kill('SIGKILL');
  expect(body.deliveries).toBe(ENDPOINTS);
  // Whatever it rang with is lost too.
  await stage.start('worker', { REDIS_PREFIX: '{test-another}' });
  await stage.receiver.received(ENDPOINTS);
  const evidence = { databaseUrl: stage.databaseUrl, history: [], ledger: stage.receiver.requests, endpoints };
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
});
