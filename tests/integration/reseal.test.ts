import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reseal } from '../../src/store/reseal.ts';
import { Vault } from '../../src/store/vault.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { MASTER_KEY, OPERATOR_KEY } from '../support/test-settings.ts';

const NEW_KEY = Buffer.alloc(32, 8).toString('base64');

let service: TestService;

beforeEach(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  for (let i = 0; i < 5; i++) {
    const body = { url: `https://r${i}.example/`, headers: { Authorization: `Bearer ${i}` } };
    const { body: endpoint } = await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', body);
    await call(service.baseUrl, 'POST', `/v1/tenants/acme/endpoints/${endpoint.id}/secret/rotate`, {});
  }
});

afterEach(() => service.stop());

/** Every sealed value of the database, opened with these keys alone. */
async function openAll(keys: string[]): Promise<string[]> {
  const other = await startTestService({ databaseUrl: service.databaseUrl, config: { MASTER_KEY: keys } });
  try {
    const { data } = (await call(other.baseUrl, 'GET', '/v1/tenants/acme/endpoints')).body;
    const secrets = [];
    for (const { id } of data)
      secrets.push((await call(other.baseUrl, 'GET', `/v1/tenants/acme/endpoints/${id}/secret`)).body);
    return [
      ...data.map((endpoint: { headers: object }) => JSON.stringify(endpoint.headers)),
      ...secrets.map((each) => JSON.stringify(each)),
    ];
  } finally {
    await other.stop();
  }
}

test('after a reseal the old key is not needed, and every value is what it was', async () => {
  const before = await openAll([MASTER_KEY]);
  const result = await reseal(service.context.apiPool, new Vault([NEW_KEY, MASTER_KEY]), { batchSize: 2 });
  expect(result).toEqual({ kind: 'done', values: 15, resealed: 15, left: 0, skipped: [] });
  expect(await openAll([NEW_KEY])).toEqual(before);
});

test('a reseal that was interrupted goes on where it stopped', async () => {
  const vault = new Vault([NEW_KEY, MASTER_KEY]);
  const interrupt = ({ step, values }: { step: string; values: number }) => {
    if (step === 'resealed' && values >= 6) throw new Error('interrupted');
  };
  await expect(reseal(service.context.apiPool, vault, { batchSize: 2, onProgress: interrupt })).rejects.toThrow(
    'interrupted',
  );
  expect(await reseal(service.context.apiPool, vault, { batchSize: 2 })).toEqual({
    kind: 'done',
    values: 15,
    resealed: 9,
    left: 0,
    skipped: [],
  });
});

test('when one value does not open, nothing is changed and the value is named', async () => {
  const { apiPool } = service.context;
  const { rows } = await apiPool.query<{
    id: string;
  }>(`UPDATE endpoints SET headers_sealed = set_byte(headers_sealed, 20, get_byte(headers_sealed, 20) # 1)
    WHERE id = (SELECT max(id) FROM endpoints) RETURNING id`);
  const sealed = async () =>
    (await apiPool.query('SELECT md5(string_agg(sealed::text, id ORDER BY id)) AS all FROM endpoint_secrets')).rows[0]
      .all;
  const before = await sealed();
  const result = await reseal(apiPool, new Vault([NEW_KEY, MASTER_KEY]), { batchSize: 2 });
  expect(result).toMatchObject({
    kind: 'refused',
    values: 15,
    unopened: 1,
    problems: [expect.stringContaining(rows[0]!.id)],
  });
  expect(await sealed()).toBe(before);
});

test('what does not open of a deleted endpoint keeps nobody from a new key: it is passed over, and named', async () => {
  const { apiPool } = service.context;
  const { rows } = await apiPool.query<{ id: string }>('SELECT id FROM endpoints ORDER BY id LIMIT 1');
  const { id } = rows[0]!;
  await apiPool.query(
    `UPDATE endpoint_secrets SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)
      WHERE endpoint_num = (SELECT num FROM endpoints WHERE id = $1)`,
    [id],
  );
  const vault = new Vault([NEW_KEY, MASTER_KEY]);
  expect(await reseal(apiPool, vault, { batchSize: 2 })).toMatchObject({ kind: 'refused', unopened: 2 });
  await call(service.baseUrl, 'DELETE', `/v1/tenants/acme/endpoints/${id}`);
  const done = await reseal(apiPool, vault, { batchSize: 2 });
  const named = [1, 2].map(() => expect.stringContaining(`endpoint-secret:${id}`));
  expect(done).toEqual({ kind: 'done', values: 15, resealed: 13, left: 0, skipped: named });
  expect((await openAll([NEW_KEY])).length).toBe(8);
  const again = await runCommand([NEW_KEY, MASTER_KEY]);
  expect(again).toEqual({ code: 0, output: expect.stringContaining(`endpoint-secret:${id}`) });
});

test('the command says what it did and exits 0, or lists what it cannot open and exits 1', async () => {
  const lacking = await runCommand([NEW_KEY]);
  expect(lacking.code).toBe(1);
  expect(lacking.output).toContain('Nothing was changed: 15 of 15 values do not open');
  expect(lacking.output).toContain('overlap_seconds');
  expect(lacking.output).toMatch(/endpoint-headers:ep_\w+: sealed with a key that is not in MASTER_KEY/);
  const done = await runCommand([NEW_KEY, MASTER_KEY]);
  expect(done).toEqual({ code: 0, output: expect.stringContaining('15 of 15 values were encrypted again') });
  const { host, pathname } = new URL(service.databaseUrl);
  for (const { output } of [lacking, done]) expect(output.split('\n')[0]).toBe(`Database: ${host}${pathname}`);
});

async function runCommand(keys: string[]): Promise<{ code: number; output: string }> {
  const command = fileURLToPath(new URL('../../src/cli/reseal.ts', import.meta.url));
  const env = { PATH: process.env.PATH, DATABASE_URL: service.databaseUrl, OPERATOR_KEY, MASTER_KEY: keys.join(',') };
  const child = spawn(process.execPath, [command], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, output };
}
