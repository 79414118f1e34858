import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkMasterKey, MasterKeyError } from '../../src/store/check-master-key.ts';
import { reseal } from '../../src/store/reseal.ts';
import { Vault } from '../../src/store/vault.ts';
import { call } from '../support/api.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { MASTER_KEY } from '../support/test-settings.ts';

const OTHER_KEY = Buffer.alloc(32, 8).toString('base64');

let service: TestService;

beforeEach(async () => {
  service = await startTestService();
});

afterEach(() => service.stop());

const check = (...keys: string[]) => checkMasterKey(service.context.apiPool, new Vault(keys));

test('an installation without any secret has the key of its first start: a process with another one is refused', async () => {
  await check(MASTER_KEY);
  await check(MASTER_KEY);
  await expect(check(OTHER_KEY)).rejects.toThrow(MasterKeyError);
  await check(OTHER_KEY, MASTER_KEY);
  await check(MASTER_KEY, OTHER_KEY);
  await expect(check(OTHER_KEY)).rejects.toThrow(/Start with the key that it was set up with/);
});

test('of two first starts at once with two keys one is refused', async () => {
  const outcomes = await Promise.allSettled([check(MASTER_KEY), check(OTHER_KEY)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('after a reseal the new key is that of the installation, and the old one is refused', async () => {
  await check(MASTER_KEY);
  const vault = new Vault([OTHER_KEY, MASTER_KEY]);
  expect(await reseal(service.context.apiPool, vault)).toMatchObject({ kind: 'done', values: 1, resealed: 1, left: 0 });
  await check(OTHER_KEY);
  await expect(check(MASTER_KEY)).rejects.toThrow(MasterKeyError);
});

test('a key that opens the secrets is right, though what was sealed at the first start does not open; the secrets’ key alone is from then on', async () => {
  await check(OTHER_KEY);
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url: 'https://r.example/' });
  await expect(check(OTHER_KEY)).rejects.toThrow(MasterKeyError);
  await check(MASTER_KEY);
  await service.context.apiPool.query('TRUNCATE endpoint_secrets');
  await check(MASTER_KEY);
  await expect(check(OTHER_KEY)).rejects.toThrow(MasterKeyError);
});

test('where only a source has a secret, a wrong key is refused and seals nothing, and the right one is taken after it', async () => {
  const sasl = { mechanism: 'PLAIN', username: 'posthorn', password: 'secret' };
  const connection = { brokers: ['127.0.0.1:9'], sasl };
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const source = kafkaSource('127.0.0.1:9', ['shop'], { connection });
  expect((await call(service.baseUrl, 'POST', '/v1/sources', source)).status).toBe(201);
  await expect(check(OTHER_KEY)).rejects.toThrow(MasterKeyError);
  await check(MASTER_KEY);
});
