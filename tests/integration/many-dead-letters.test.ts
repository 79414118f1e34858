import { afterAll, beforeAll, expect, test } from 'vitest';
import { uuidFloor } from '../../src/domain/ids.ts';
import { DECISION, OUTCOME_CODES } from '../../src/store/codes.ts';
import { CANDIDATES } from '../../src/store/dead-letter-list.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant, type TestEndpoint, type TestTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const COUNT = 50_000;
let service: TestService;
let tenant: TestTenant;
let endpoint: TestEndpoint;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'many');
  endpoint = await makeEndpoint(service, tenant);
  // Every fifth was given up for DNS.
  await service.context.workerPool.query(
    `WITH made AS (
       INSERT INTO events (id, tenant_num, type, body)
       SELECT ($3 || lpad(n::text, 12, '0'))::uuid, $1, 'order.created', '\\x7b7d' FROM generate_series(1, $4::int) n RETURNING id
     )
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision)
     SELECT id, now(), $2, $1, 1, CASE WHEN right(id::text, 1) IN ('0', '5') THEN $5::int ELSE $6::int END, $7 FROM made`,
    [
      tenant.num,
      endpoint.num,
      `${uuidFloor(Date.now()).slice(0, 13)}-7000-8000-`,
      COUNT,
      OUTCOME_CODES.dns,
      OUTCOME_CODES.timeout,
      DECISION.deadLetter,
    ],
  );
  await service.context.workerPool.query('ANALYZE attempts, events, mailbox');
});

afterAll(() => service.stop());

const ask = (method: string, path: string, body?: unknown) =>
  call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);

test('50,000 dead letters are listed page by page, each once, and counted', async () => {
  const seen = new Set<string>();
  let next: string | null = null;
  do {
    const { status, body }: Awaited<ReturnType<typeof ask>> = await ask(
      'GET',
      `/dead-letters?limit=250&reason=dns${next === null ? '' : `&cursor=${next}`}`,
    );
    expect(status).toBe(200);
    for (const { delivery_id } of body.data) seen.add(delivery_id);
    next = body.next;
  } while (next !== null);
  expect(seen.size).toBe(COUNT / 5);
  expect((await ask('GET', '/dead-letters/stats')).body).toEqual({
    total: COUNT,
    by_reason: { dns: COUNT / 5, timeout: (COUNT * 4) / 5 },
    by_endpoint: { [endpoint.id]: COUNT },
    capped: true,
  });
});

test('a redrive by reason goes through 50,000 in bounded steps, and says how many it made', async () => {
  const { id } = (await ask('POST', '/dead-letters/redrive', { reason: 'dns' })).body;
  const replayer = replayerOf(service.context.workerPool);
  let most = 0;
  let state = 'pending';
  for (let rounds = 0; state !== 'completed' && rounds < 1_000; rounds++) {
    await queueReplays(replayer);
    most = Math.max(most, await deliverAll());
    ({ state } = (await ask('GET', `/replays/${id}`)).body);
  }
  expect((await ask('GET', `/replays/${id}`)).body).toMatchObject({
    state: 'completed',
    matched: COUNT / 5,
    done: COUNT / 5,
  });
  expect(most).toBeLessThan(1_100);
});

/** Does what lanes do, and says how many waited. */
async function deliverAll(): Promise<number> {
  const { rowCount } = await service.context.workerPool.query(
    `WITH gone AS (DELETE FROM mailbox WHERE tenant_num = $1 RETURNING *)
     INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status)
     SELECT event_id, now(), endpoint_num, tenant_num, attempt + 1, $2, $3, 200 FROM gone`,
    [tenant.num, OUTCOME_CODES.delivered, DECISION.done],
  );
  return rowCount ?? 0;
}

test('a purge takes what is left of them, in as many calls as their time wants', async () => {
  let purged = 0;
  let cursor: string | undefined;
  await eventually(
    async () => {
      const { body } = await ask('POST', '/dead-letters/purge', { all: true, cursor });
      purged += body.purged;
      cursor = body.next ?? undefined;
      return body.complete;
    },
    (isComplete) => isComplete,
  );
  expect(purged).toBe((COUNT * 4) / 5);
  expect((await ask('GET', '/dead-letters?limit=1')).body.data).toEqual([]);
  const { rows } = await service.context.apiPool.query(
    `SELECT sum((after->>'purged')::int)::int AS n FROM audit_log WHERE action = 'dead_letters.purged'`,
  );
  expect(rows).toEqual([{ n: (COUNT * 4) / 5 }]);
});

test('dead letters are found without wading through what was delivered since the statistics were made', async () => {
  const { workerPool } = service.context;
  await workerPool.query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision)
     SELECT ($1 || lpad((n + 500000)::text, 12, '0'))::uuid, now(), 77, $2, 1, $3, $4 FROM generate_series(1, 50000) n`,
    [`${uuidFloor(Date.now()).slice(0, 13)}-7000-8000-`, tenant.num, OUTCOME_CODES.delivered, DECISION.done],
  );
  const range = [tenant.num, uuidFloor(0), 'ffffffff-ffff-ffff-ffff-ffffffffffff', 0, 50];
  const { rows } = await workerPool.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN (ANALYZE, TIMING OFF) ${CANDIDATES}`,
    range,
  );
  const removed = rows.flatMap((row) => /Rows Removed by Filter: (\d+)/.exec(row['QUERY PLAN'])?.[1] ?? []).map(Number);
  expect(removed.reduce((total, count) => total + count, 0)).toBeLessThan(1_000);
});
