import { afterAll, beforeAll, expect, test } from 'vitest';
import { countTenants, findOldestTenant } from '../../src/store/tenants.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

test('the oldest tenant is one that is there still; of those that ever were none is forgotten', async () => {
  const { prisma } = service.context;
  const oldest = () => findOldestTenant(prisma);
  const remove = (id: string) => call(service.baseUrl, 'DELETE', `/v1/tenants/${id}`);
  expect(await oldest()).toBeNull();
  for (const id of ['first', 'second', 'third']) await call(service.baseUrl, 'POST', '/v1/tenants', { id });
  expect(await oldest()).toBe('first');
  await remove('first');
  expect(await oldest()).toBe('second');
  for (const id of ['second', 'third']) await remove(id);
  expect(await oldest()).toBeNull();
  expect(await countTenants(prisma)).toBe(3);
});
