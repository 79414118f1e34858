import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_PAGE_BYTES } from '../../src/store/page-bytes.ts';
import { listReplays } from '../../src/store/replays.ts';
import { call } from '../support/api.ts';
import { makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const ROWS = 30;
const LONG = 400_000;
/** What an answer has beside what is weighed: names, times, settings of short rows. */
const BESIDE = 100_000;

let service: TestService;
let tenant: TestTenant;
let small: TestTenant;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  small = await makeTenant(service, 'small');
  const insert = (text: string) => query(service.databaseUrl, text, [tenant.num, ROWS, LONG]);
  // Of the letters of one kind: stored, they are a hundredth of what they are in an answer.
  const long = `rpad(i::text, $3::int, 'x')`;
  await insert(`INSERT INTO audit_log (tenant_num, actor, action, object, before, after)
    SELECT $1, 'operator', 'endpoint.updated', i::text, to_jsonb('x'::text), to_jsonb(${long}) FROM generate_series(1, $2::int) i`);
  await insert(`INSERT INTO replays (id, tenant_num, state, filter)
    SELECT 'rpl_' || lpad(i::text, 5, '0'), $1, 'completed', jsonb_build_object('request', jsonb_build_object('types', jsonb_build_array(${long})))
      FROM generate_series(1, $2::int) i`);
  await insert(`INSERT INTO endpoints (id, tenant_num, url, subscriptions)
    SELECT 'ep_' || lpad(i::text, 5, '0'), $1, 'https://x.example/', jsonb_build_array(jsonb_build_object('types', jsonb_build_array(${long})))
      FROM generate_series(1, $2::int) i`);
  await insert(`WITH made AS (
      INSERT INTO event_types (tenant_num, type) SELECT $1, 'type.' || i FROM generate_series(1, $2::int) i RETURNING num)
    INSERT INTO event_type_versions (type_num, major, minor, patch, schema, description)
    SELECT num, 1, i, 0, '{}', rpad('', $3::int / 100, 'x') FROM made, generate_series(1, 100) i`);
});

afterAll(() => service.stop());

const page = async (of: TestTenant, list: string, cursor: string | null) => {
  const after = cursor === null ? '' : `&cursor=${cursor}`;
  const { status, body } = await call(service.baseUrl, 'GET', `/v1/tenants/${of.id}/${list}?limit=250${after}`);
  expect(status).toBe(200);
  return body;
};

test.each([
  ['audit', ({ id }) => id],
  ['replays', ({ id }) => id],
  ['endpoints', ({ id }) => id],
  ['event-types', ({ type }) => type],
] satisfies [string, (row: { id: string; type: string }) => string][])(
  'G4: a page of %s is cut where it becomes too large, and the pages together have each row once',
  async (list, nameOf) => {
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages++) {
      const { data, next } = await page(tenant, list, cursor);
      expect(JSON.stringify(data).length).toBeLessThan(MAX_PAGE_BYTES + BESIDE);
      seen.push(...data.map(nameOf));
      cursor = next;
    }
    // The tenant's own line of the audit log is one more.
    expect(new Set(seen).size).toBe(list === 'audit' ? ROWS + 1 : ROWS);
    expect(seen).toHaveLength(new Set(seen).size);
    expect(pages).toBeLessThanOrEqual(ROWS / 4 + 1);
  },
);

test('a row that is larger than a page is a page', async () => {
  const large = await makeTenant(service, 'large');
  await query(
    service.databaseUrl,
    `INSERT INTO audit_log (tenant_num, actor, action, object, after)
     SELECT $1, 'operator', 'endpoint.updated', i::text, to_jsonb(rpad(i::text, $2::int, 'x')) FROM generate_series(1, 2) i`,
    [large.num, MAX_PAGE_BYTES + 1],
  );
  const first = await page(large, 'audit', null);
  expect(first.data).toMatchObject([{ object: '2' }]);
  const second = await page(large, 'audit', first.next);
  expect(second.data).toMatchObject([{ object: '1' }]);
  expect(await page(large, 'audit', second.next)).toMatchObject({ data: [{ action: 'tenant.created' }], next: null });
});

test('G4: of replays only what is shown is read', async () => {
  await query(
    service.databaseUrl,
    `INSERT INTO replays (id, tenant_num, state, filter)
     SELECT 'rpl_small_' || i, $1, 'completed', jsonb_build_object('request', '{"types":["a"]}'::jsonb, 'plan', rpad(i::text, $2::int, 'x')) FROM generate_series(1, 20) i`,
    [small.num, LONG],
  );
  let brought = 0;
  const watched = {
    query: async (text: string, values: unknown[]) => {
      const result = await service.context.apiPool.query(text, values);
      brought += JSON.stringify(result.rows).length;
      return result;
    },
  } as unknown as pg.Pool;
  const { rows, resume } = await listReplays(watched, small.num, undefined, 250);
  expect(rows.map(({ request }) => request)).toEqual(Array(20).fill({ types: ['a'] }));
  expect(resume).toBeNull();
  expect(brought).toBeLessThan(20_000);
});
