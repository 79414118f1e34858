import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadRouting } from '../../src/store/routing.ts';
import { MAX_SUBSCRIPTION_BYTES } from '../../src/store/subscription-bytes.ts';
import { call } from '../support/api.ts';
import { query as queryAlone } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);
const query = (text: string, values: unknown[] = []) => service.context.apiPool.query(text, values);
const url = 'https://receiver.example/hook';

async function tenant(id: string): Promise<number> {
  await api('POST', '/v1/tenants', { id });
  const { rows } = await query('SELECT num FROM tenants WHERE id = $1', [id]);
  return rows[0].num;
}

/** Endpoints with filters of this many characters, beside any that the tenant has. */
async function addWide(tenantNum: number, count: number, length: number, enabled = true): Promise<void> {
  // By a connection without deadlines: megabytes take as long as the machine likes.
  await queryAlone(
    service.databaseUrl,
    `INSERT INTO endpoints (id, tenant_num, url, enabled, subscriptions)
     SELECT 'ep_wide_' || $1::int || '_' || $4::int || '_' || i, $1, 'https://x.example', $2,
            jsonb_build_array(jsonb_build_object('types', jsonb_build_array('a.b'), 'filter', rpad(i::text, $4::int, 'x')))
       FROM generate_series(1, $3::int) i`,
    [tenantNum, enabled, count, length],
  );
}

/** A pool that counts the bytes of subscriptions that each of its statements brings. */
function watched() {
  const brought: number[] = [];
  const pool = {
    query: async (config: pg.QueryConfig) => {
      const result = await service.context.apiPool.query<{ subscriptions: string | null }>(config);
      brought.push(result.rows.reduce((sum, { subscriptions }) => sum + (subscriptions?.length ?? 0), 0));
      return result;
    },
  } as unknown as pg.Pool;
  return { pool, brought };
}

const knownOf = (routing: Awaited<ReturnType<typeof loadRouting>>) =>
  new Map(routing!.endpoints.map(({ num, version }) => [num, { version }] as const));

test('G4: of a tenant’s routing only the endpoints that changed are read again', async () => {
  const num = await tenant('changing');
  const paths: string[] = [];
  for (const type of ['a', 'b', 'c']) {
    const { body } = await api('POST', '/v1/tenants/changing/endpoints', { url, subscriptions: [{ types: [type] }] });
    paths.push(`/v1/tenants/changing/endpoints/${body.id}`);
  }
  const { pool } = watched();
  const first = await loadRouting(pool, num, new Map());
  expect(first!.endpoints.map(({ subscriptions }) => JSON.parse(subscriptions!)[0].types)).toEqual([
    ['a'],
    ['b'],
    ['c'],
  ]);
  const unchanged = await loadRouting(pool, num, knownOf(first));
  expect(unchanged!.endpoints.map(({ subscriptions }) => subscriptions)).toEqual([null, null, null]);
  await api('PATCH', paths[1]!, { subscriptions: [{ types: ['d'] }] });
  await api('PATCH', paths[2]!, { enabled: false });
  const changed = await loadRouting(pool, num, knownOf(first));
  expect(changed!.endpoints.map(({ subscriptions }) => subscriptions)).toEqual([null, '[{"types": ["d"]}]']);
  expect(changed!.version).toBe(first!.version + 2n);
  expect(await loadRouting(pool, num + 1_000, new Map())).toBeNull();
});

/** As endpoints are of which an earlier version kept no length, until a migration comes to them. */
const forgetBytes = (tenantNum: number) =>
  query('UPDATE endpoints SET subscription_bytes = 0 WHERE tenant_num = $1', [tenantNum]);

test.each([
  ['counted', async () => {}],
  ['not counted yet', forgetBytes],
])(
  'G4: no statement brings more than a mebibyte of a tenant’s filters, and all of them come: %s',
  async (what, before) => {
    const num = await tenant(`wide-${what.length}`);
    await addWide(num, 70, 50_000);
    await addWide(num, 1, 1_500_000);
    await before(num);
    const { pool, brought } = watched();
    const loaded = await loadRouting(pool, num, new Map());
    expect(loaded!.endpoints.filter(({ subscriptions }) => subscriptions !== null)).toHaveLength(71);
    expect(new Set(loaded!.endpoints.map((endpoint) => endpoint.num)).size).toBe(71);
    expect(brought.filter((bytes) => bytes > 1_100_000)).toHaveLength(1);
    expect(Math.max(...brought)).toBeLessThan(1_600_000);
    expect(brought.length).toBeLessThan(8);
  },
);

test.each([
  ['counted', async () => {}],
  ['not counted yet', forgetBytes],
])(
  'G4: the subscriptions of a tenant have a bound in all, past which they can only become shorter: %s',
  async (what, before) => {
    const id = `full-${what.length}`;
    const num = await tenant(id);
    const long = 1_000_000;
    await addWide(num, Math.floor(MAX_SUBSCRIPTION_BYTES / long), long, false);
    const endpoints = `/v1/tenants/${id}/endpoints`;
    const filterOf = (length: number) => ({
      data: { name: Array.from({ length: length / 500 }, (_, i) => `${i}`.padEnd(497, 'x')) },
    });
    const subscriptions = [{ types: ['a'], filter: filterOf(12_000) }];
    const refusal = { status: 422, body: { code: 'too_much_filter_text', detail: expect.stringContaining('64 MiB') } };
    const paths: string[] = [];
    for (let i = 0; i < 2; i++) {
      const made = await api('POST', endpoints, { url, subscriptions });
      expect(made.status).toBe(201);
      paths.push(`${endpoints}/${made.body.id}`);
    }
    await addWide(num, 1, 900_000, false);
    const version = async () => (await query('SELECT routing_version FROM tenants WHERE num = $1', [num])).rows[0];
    const versionBefore = await version();
    await before(num);
    expect(await api('POST', endpoints, { url, subscriptions })).toMatchObject(refusal);
    const longer = [{ types: ['a'], filter: filterOf(15_000) }];
    expect(await api('PATCH', paths[0]!, { subscriptions: longer })).toMatchObject(refusal);
    expect(await version()).toEqual(versionBefore);
    expect((await api('PATCH', paths[0]!, { subscriptions: [{ types: ['a'] }] })).status).toBe(200);
    expect((await api('PATCH', paths[1]!, { description: 'still mine' })).status).toBe(200);
  },
);
