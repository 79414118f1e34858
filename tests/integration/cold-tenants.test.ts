import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createIntake } from '../../src/sources/create-intake.ts';
import { loadLightRouting, loadRouting } from '../../src/store/routing.ts';
import { loadLightTypeRules, loadTypeRules } from '../../src/store/type-rules.ts';
import { call } from '../support/api.ts';
import { query as queryAlone } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const TENANTS = 1_000;
/** Of theirs, three kinds of tenants have more than is read together with others'. */
const LARGE = { endpoints: 1, texts: 2, types: 3 };

let first: TestService;

beforeAll(async () => {
  first = await startTestService();
  await queryAlone(
    first.databaseUrl,
    `INSERT INTO tenants (id, name, types_version) SELECT 'cold_' || i, i::text, i % 2 FROM generate_series(1, $1) i`,
    [TENANTS],
  );
  // One endpoint each that is subscribed to all, and one that is disabled.
  await queryAlone(
    first.databaseUrl,
    `INSERT INTO endpoints (id, tenant_num, url, enabled, subscriptions)
     SELECT 'ep_' || num || '_' || n, num, 'http://127.0.0.1:9/', n = 1, '[{"types":["**"]}]'
       FROM tenants CROSS JOIN generate_series(1, 2) n WHERE id LIKE 'cold%'`,
  );
  await queryAlone(
    first.databaseUrl,
    `INSERT INTO event_types (tenant_num, type, validation)
     SELECT num, 'order.paid', 'warn' FROM tenants WHERE id LIKE 'cold%' AND types_version > 0`,
  );
  const numOf = await numsOf(['cold_1', 'cold_2', 'cold_3']);
  await queryAlone(
    first.databaseUrl,
    `INSERT INTO endpoints (id, tenant_num, url, enabled, subscriptions)
     SELECT 'ep_disabled_' || i, $1, 'http://127.0.0.1:9/', false, '[{"types":["**"]}]' FROM generate_series(1, 300) i`,
    [numOf[LARGE.endpoints - 1]],
  );
  await queryAlone(
    first.databaseUrl,
    `UPDATE endpoints SET subscriptions = jsonb_build_array(jsonb_build_object('types', jsonb_build_array('**', rpad('x', 20000, 'x')))) WHERE tenant_num = $1`,
    [numOf[LARGE.texts - 1]],
  );
  await queryAlone(
    first.databaseUrl,
    `INSERT INTO event_types (tenant_num, type, validation) SELECT $1, 'many.' || i, 'warn' FROM generate_series(1, 300) i`,
    [numOf[LARGE.types - 1]],
  );
}, 60_000);

afterAll(() => first.stop());

async function numsOf(ids: readonly string[]): Promise<readonly number[]> {
  const { rows } = await first.context.apiPool.query<{ num: number }>(
    `SELECT num FROM tenants WHERE id = ANY($1) ORDER BY length(id), id`,
    [ids],
  );
  return rows.map(({ num }) => num);
}

const ids = Array.from({ length: TENANTS }, (_, i) => `cold_${i + 1}`);

/** How often each named statement is made meanwhile. */
async function countStatements<T>(work: () => Promise<T>): Promise<{ result: T; counts: Map<string, number> }> {
  const counts = new Map<string, number>();
  const { query } = pg.Client.prototype;
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    const name = (args[0] as { name?: string } | null)?.name;
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    return (query as (...all: unknown[]) => unknown).apply(this, args) as never;
  });
  try {
    return { result: await work(), counts };
  } finally {
    spy.mockRestore();
  }
}

/** A process to which none of the tenants is known. */
async function withColdProcess<T>(work: (service: TestService) => Promise<T>): Promise<T> {
  const service = await startTestService({ databaseUrl: first.databaseUrl });
  try {
    return await work(service);
  } finally {
    await service.stop();
  }
}

const fewStatements = (counts: ReadonlyMap<string, number>) => {
  expect(counts.get('find-tenants')).toBeLessThanOrEqual(3);
  expect(counts.get('load-light-routing')).toBeLessThanOrEqual(20);
  expect(counts.get('load-light-type-rules')).toBeLessThanOrEqual(20);
  expect(counts.get('load-routing')).toBe(2);
  expect(counts.get('load-type-rules')).toBe(1);
};

test('a batch for a thousand tenants of which nothing is in memory is taken at once, and reads what it needs of them in a few statements', async () => {
  const events = ids.map((tenant_id) => ({ tenant_id, type: 'order.paid', data: {} }));
  const { result, counts } = await countStatements(() =>
    withColdProcess((service) => call(service.baseUrl, 'POST', '/v1/events', events)),
  );
  expect(result.status).toBe(202);
  expect(result.body.items.map(({ deliveries }: { deliveries: number }) => deliveries)).toEqual(ids.map(() => 1));
  fewStatements(counts);
});

test('messages of a source for as many tenants likewise, and those of tenants that are not there', async () => {
  const messages = [...ids, ...ids.map(() => 'nobody')].map((tenant_id, i) => ({
    ...{ position: `orders/0/${i}`, group: 'orders/0', attributes: new Map(), key: null },
    ...{ headers: new Map(), timestampMs: null },
    body: Buffer.from(JSON.stringify({ tenant_id, type: 'order.paid', data: {} })),
  }));
  const rejected: number[] = [];
  const { result, counts } = await countStatements(() =>
    withColdProcess(async ({ context }) => {
      const intake = createIntake({
        source: { id: 'src_1', name: 'orders', tenantId: undefined },
        ...{ mapping: { format: 'envelope' }, accept: context.accept, limits: context.ingestLimits },
        reject: async (refused) => {
          rejected.push(refused.length);
          return refused.length;
        },
        ...{ onRejected: () => {}, onTaken: () => {} },
      });
      await intake.take(messages);
      return intake.counts();
    }),
  );
  expect(result).toEqual({ events: TENANTS, duplicates: 0, rejected: TENANTS });
  expect(rejected).toEqual([TENANTS]);
  fewStatements(counts);
});

test('a batch that names a tenant which is not there a thousand times looks for it twice', async () => {
  const events = ids.map(() => ({ tenant_id: 'nobody', type: 'order.paid', data: {} }));
  const { result, counts } = await countStatements(() =>
    withColdProcess((service) => call(service.baseUrl, 'POST', '/v1/events', events)),
  );
  expect(result.status).toBe(422);
  expect(counts.get('find-tenants')).toBe(2);
});

test('what is read of several tenants together is what is read of each, but of those that have much', async () => {
  const { apiPool } = first.context;
  const nums = await numsOf(ids);
  // As an older version leaves them until they are counted.
  await apiPool.query('UPDATE endpoints SET subscription_bytes = 0 WHERE tenant_num = $1', [nums[LARGE.texts - 1]]);
  const [routing, rules] = await Promise.all([loadLightRouting(apiPool, nums), loadLightTypeRules(apiPool, nums)]);
  const large = (found: ReadonlyMap<number, unknown>) =>
    [...found].flatMap(([num, one]) => (one === 'large' ? [num] : []));
  expect(large(routing)).toEqual([nums[LARGE.endpoints - 1], nums[LARGE.texts - 1]]);
  expect(large(rules)).toEqual([nums[LARGE.types - 1]]);
  for (const num of nums.slice(0, 10)) {
    if (routing.get(num) !== 'large') expect(routing.get(num)).toEqual(await loadRouting(apiPool, num, new Map()));
    if (rules.get(num) !== 'large') expect(rules.get(num)).toEqual(await loadTypeRules(apiPool, num));
  }
  expect(await loadLightRouting(apiPool, [nums.at(-1)! + 1_000])).toEqual(new Map());
});
