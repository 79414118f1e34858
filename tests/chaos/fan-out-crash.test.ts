import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { type CreatedEndpoint, createEndpoint, openStage, type Stage, TENANT } from '../support/stage.ts';
import { copyEndpoints } from './harness/copy-endpoints.ts';

const ENDPOINTS = 1_000;
/** What the worker writes in one transaction. */
const CHUNK = 500;
const ATTEMPTS = 'SELECT count(*)::int AS attempts FROM attempts';

let stage: Stage;
let endpoints: readonly CreatedEndpoint[];

beforeAll(async () => {
  stage = await openStage();
  const api = await stage.start('api');
  const first = await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/0` });
  await api.kill('SIGTERM');
  const urls = Array.from({ length: ENDPOINTS - 1 }, (_, i) => `${stage.receiver.url}/${i + 1}`);
  const copies = urls.map((url) => ({ url, subscriptions: [] }));
  const ids = await copyEndpoints(stage.databaseUrl, first, copies);
  endpoints = [first, ...ids.map((id, i) => ({ ...first, id, url: urls[i]! }))];
});
afterAll(() => stage?.close());
beforeEach(() => onTestFailed(() => console.error(stage.logs())));

/** What came since so many requests had come: each endpoint exactly once, by the id of the event. */
async function expectEachOnce(key: string, eventId: string, before: number): Promise<void> {
  await stage.receiver.received(before + ENDPOINTS);
  const ledger = stage.receiver.requests;
  const { databaseUrl } = stage;
  const history = [{ key, outcome: 'ok' as const, id: eventId }];
  await checkInvariants({ databaseUrl, history, ledger, endpoints, duplicatesAtMost: 0 });
  const ours = ledger.slice(before);
  expect(ours).toHaveLength(ENDPOINTS);
  expect(new Set(ours.map(({ path }) => path)).size).toBe(ENDPOINTS);
  expect(ours.every(({ headers }) => headers['webhook-id'] === eventId)).toBe(true);
}

/** Keeps whoever writes the delivery of the event to the endpoint with this place waiting, until it is let go. */
async function holdUp(place: number): Promise<() => Promise<void>> {
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

/** @param key tells the events apart */
const post = (baseUrl: string, key: string) =>
  call(baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {}, metadata: { idempotency_key: key } });

test('G2, F50: a worker killed in the middle of an expansion: another goes on, and each of 1,000 endpoints gets the event exactly once', async () => {
  const api = await stage.start('api');
  const [before, [{ attempts }]] = [stage.receiver.requests.length, await stage.query(ATTEMPTS)];
  const { body } = await post(api.baseUrl, 'expansion');
  expect(body).toMatchObject({ status: 'accepted', deliveries: ENDPOINTS });
  // Its second chunk is under way and cannot end; the first is delivered, and that is written down.
  const letGo = await holdUp(CHUNK + CHUNK / 2);
  const first = await stage.start('worker');
  await stage.receiver.received(before + CHUNK);
  const isHeldUp = `SELECT (${ATTEMPTS}) AS attempts,
    EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO mailbox%') AS waits`;
  await eventually(
    () => stage.query(isHeldUp),
    ([state]) => state.attempts === attempts + CHUNK && state.waits,
  );
  await first.kill('SIGKILL');
  await letGo();
  const second = await stage.start('worker');
  await expectEachOnce('expansion', body.id, before);
  await Promise.all([api, second].map((each) => each.kill('SIGTERM')));
});

test('G2, F50: an API process killed as soon as it has answered for wide events: a worker finds them by itself', async () => {
  const api = await stage.start('api');
  const before = stage.receiver.requests.length;
  const { body } = await post(api.baseUrl, 'answer');
  await api.kill('SIGKILL');
  expect(body.deliveries).toBe(ENDPOINTS);
  // Whatever it rang with is lost too.
  const worker = await stage.start('worker', { REDIS_PREFIX: '{test-another}' });
  await expectEachOnce('answer', body.id, before);
  await worker.kill('SIGTERM');
});
